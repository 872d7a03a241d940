"""The CAS server of ``casque demo``, for tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading

from .errors import CASError


class Demo:
    """``casque demo``: a real CAS server on loopback, which any application on loopback may use, and people.

    It is a context manager. The program is the one given, or the one that CASQUE_BIN names, or ``casque`` on the PATH;
    FileNotFoundError says that there is none. It is ready when the constructor returns.
    """

    def __init__(self, program: str | os.PathLike[str] | None = None, *, patience: float = 60.0) -> None:
        found = program or find_casque()
        if found is None:
            raise FileNotFoundError("there is no casque program: set CASQUE_BIN, or put casque on the PATH")
        arguments = [os.fspath(found), "demo", "--json", "--cas-port", "0", "--app-port", "0"]
        with tempfile.TemporaryFile() as said:
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, text=True
            )
            assert self._process.stdout is not None
            # One that never gets ready is ended, so that the line ends too.
            alarm = threading.Timer(patience, self._process.kill)
            alarm.start()
            line = self._process.stdout.readline()
            alarm.cancel()
            if not line:
                self.close()
                said.seek(0)
                raise RuntimeError(f"casque demo did not start: {said.read().decode(errors='replace').strip()}")
        facts = json.loads(line)
        #: The URL that the server's endpoints are below.
        self.cas_url: str = facts["cas_url"]
        #: The demo's own application.
        self.app_url: str = facts["app_url"]
        #: Names and their passwords.
        self.users: dict[str, str] = {user["username"]: user["password"] for user in facts["users"]}

    def ticket(self, user: str, service: str) -> str:
        """Log in at the server as somebody does with a browser that has never been there, and get a ticket."""
        from pycas_sso import CASClient

        with CASClient.create(self.cas_url, service, service) as client:
            login = client.login(user, self.users[user])
        if not login.success:
            raise CASError(f"{user} could not log in for {service}", status=login.http_status)
        return str(login.ticket)

    def close(self) -> None:
        """End it; nothing is left behind."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Demo:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def find_casque() -> str | None:
    """The program ``casque``, if there is one."""
    named = os.environ.get("CASQUE_BIN")
    if named:
        return shutil.which(named)
    return shutil.which("casque")

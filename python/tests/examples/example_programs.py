"""The examples under real servers, and who uses them."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import httpx

EXAMPLES = Path(__file__).parents[3] / "examples"
GUNICORN = ["gunicorn", "--bind", "fd://{fd}", "--workers", "2"]
SERVERS = {
    "flask": [*GUNICORN, "main:app"],
    "flask-people": [*GUNICORN, "main:app"],
    "django": [*GUNICORN, "application.wsgi"],
    # Its sessions are in memory, so there is one process.
    "fastapi": ["uvicorn", "--fd", "{fd}", "--no-access-log", "main:app"],
}
SETTINGS = ("CAS_PROVIDER", "SERVICE_URL", "LOGIN_URL", "DATABASE", "DJANGO_SETTINGS_MODULE", "PYCAS_SSO_VALIDATE_WITH")


@dataclass
class Program:
    """An example that runs."""

    url: str
    folder: Path

    def at(self, path: str) -> str:
        return self.url + path


@contextmanager
def run(example: str, provider: str, folder: Path) -> Iterator[Program]:
    """The example in a copy of its folder, with an ``.env`` of its shape."""
    folder = folder / example
    shutil.copytree(EXAMPLES / example, folder, ignore=shutil.ignore_patterns("*.db", "__pycache__", ".venv"))
    # It listens before the server starts, so nobody has to wait for that.
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        settings = (folder / ".env").read_text()
        settings = settings.replace("http://127.0.0.1:8443/cas", provider).replace("http://127.0.0.1:5000", url)
        (folder / ".env").write_text(settings)
        environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
        environment["SECRET_KEY"] = "of this test only"
        if (folder / "manage.py").exists():
            for command in (["makemigrations", "--check", "--dry-run"], ["migrate", "--verbosity", "0"]):
                subprocess.run([sys.executable, "manage.py", *command], cwd=folder, env=environment, check=True)
        arguments = [part.format(fd=listener.fileno()) for part in SERVERS[example]]
        with (
            (folder / "log").open("w") as log,
            subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=folder,
                env=environment,
                pass_fds=[listener.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            try:
                yield Program(url, folder)
                assert process.poll() is None, (folder / "log").read_text()
            finally:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
    said = (folder / "log").read_text()
    assert not re.search(r"\b(ST|PT)-\w", said), said


class Person:
    """Somebody at a browser without scripts."""

    def __init__(self) -> None:
        self._client = httpx.Client(follow_redirects=True, trust_env=False, timeout=30)
        #: Every address so far.
        self.visited: list[str] = []

    def get(self, url: str, **options) -> httpx.Response:
        return self._seen(self._client.get(url, headers={"Accept": "text/html,*/*;q=0.8"}, **options))

    def post(self, url: str, **options) -> httpx.Response:
        return self._seen(self._client.post(url, **options))

    def submit(self, page: httpx.Response, **fields: str) -> httpx.Response:
        """Fill in the only form of a page."""
        action = re.search(r'<form[^>]*\baction="([^"]*)"', page.text)
        hidden = {}
        for tag in re.findall(r"<input[^>]*>", page.text):
            given = dict(re.findall(r'(\w+)="([^"]*)"', tag))
            if given.get("type") == "hidden":
                hidden[given["name"]] = given["value"]
        address = action[1].replace("&amp;", "&") if action else ""
        return self.post(urljoin(str(page.url), address), data={**hidden, **fields})

    def log_in(self, url: str, users: dict[str, str], name: str = "alice") -> httpx.Response:
        """Ask for a page, log in where that leads, and arrive."""
        page = self.get(url)
        assert 'type="password"' in page.text, page.text
        return self.submit(page, username=name, password=users[name])

    @property
    def ticket(self) -> str:
        """The last ticket that came by."""
        return next(found[1] for url in reversed(self.visited) if (found := re.search(r"\bticket=(ST-[\w-]+)", url)))

    def cookies(self, name: str) -> list[str]:
        return [cookie.value or "" for cookie in self._client.cookies.jar if cookie.name == name]

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Person:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _seen(self, page: httpx.Response) -> httpx.Response:
        self.visited += [str(step.url) for step in [*page.history, page]]
        return page

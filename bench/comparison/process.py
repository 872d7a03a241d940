"""Servers as processes: started, watched until they answer, weighed, and ended by their process ids."""

import contextlib
import http.client
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.parse

TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class DidNotStart(Exception):
    """A server ended or did not answer; the text is the end of its log."""


class Process:
    """A process with all that it starts, which ends with the block it is used in."""

    def __init__(self, command, log, **options):
        self.log = pathlib.Path(log)
        with open(self.log, "ab") as file:
            self.started = time.monotonic()
            self.popen = subprocess.Popen(
                [str(part) for part in command],
                stdout=options.pop("stdout", file),
                stderr=file,
                stdin=options.pop("stdin", subprocess.DEVNULL),
                start_new_session=True,
                **options,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self, how=signal.SIGTERM):
        everything = self.tree()
        if self.popen.poll() is None:
            self.popen.send_signal(how)
        try:
            self.popen.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        for pid in everything[1:]:
            with contextlib.suppress(ProcessLookupError):
                if os.getsid(pid) == self.popen.pid:
                    os.kill(pid, signal.SIGKILL)

    def tree(self):
        """Its process id, and those of all that descend from it."""
        found, looking = [], [self.popen.pid]
        while looking:
            pid = looking.pop()
            found.append(pid)
            for tasks in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    looking.extend(int(child) for child in tasks.read_text().split())
        return found

    def mib(self):
        """Resident MiB of all of it; what several processes share counts once."""
        kib = 0
        for pid in self.tree():
            with contextlib.suppress(OSError):
                rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
                kib += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        return kib / 1024

    def processor_seconds(self):
        ticks = 0
        for pid in self.tree():
            with contextlib.suppress(OSError):
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS

    def wait_for_login(self, url, limit=60):
        """Asks until the login page is there; gives the seconds since the process was started."""
        where = urllib.parse.urlsplit(url)
        path = where.path + ("?" + where.query if where.query else "")
        while time.monotonic() - self.started < limit:
            if self.popen.poll() is not None:
                break
            connection = http.client.HTTPConnection("127.0.0.1", where.port, timeout=10)
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection.request("GET", path)
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    connection.close()
                    return time.monotonic() - self.started
            connection.close()
            time.sleep(0.001)
        raise DidNotStart(self.last_words())

    def last_words(self):
        return self.log.read_text(errors="replace")[-2000:].strip()

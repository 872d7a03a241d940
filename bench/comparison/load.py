"""Puts a server under load with `casque bench`."""

import json
import subprocess

from .paths import BUILT

CONNECTIONS = 8


class NotMeasured(Exception):
    """The driver could not measure; the text says why."""


def command(kind, server, seconds, warm_up=1, connections=CONNECTIONS, rate=None, sessions=8, count=None, timeout=10):
    parts = [BUILT / "casque", "bench", kind, "--json", "--cas", server.url, "--users-file", server.users]
    parts += ["--service", server.service, "--duration", seconds, "--warm-up", warm_up, "--connections", connections]
    parts += ["--batch", server.batch, "--timeout", timeout]
    if kind in ("sso", "validate"):
        parts += ["--sessions", sessions]
    if rate:
        parts += ["--rate", rate]
    if count:
        parts += ["--count", count]
    return [str(part) for part in parts]


def begin(kind, server, seconds, **options):
    """A load that goes on beside others; `report` waits for it."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command(kind, server, seconds, **options), text=True, **pipes)


def report(process):
    out, err = process.communicate()
    if process.returncode not in (0, 1):
        raise NotMeasured(err.strip() or f"casque bench ended with {process.returncode}")
    return json.loads(out)


def run(kind, server, seconds, **options):
    return report(begin(kind, server, seconds, **options))


def rate_of(found):
    """Correct operations in a second, or why that is no figure."""
    if found["errors"]:
        worst = max(found["errors"], key=lambda error: error["count"])
        wrong = found["operations"] - found["correct"]
        if wrong > found["operations"] / 100:
            raise NotMeasured(f"{wrong} of {found['operations']} wrong: {worst['step']}: {worst['kind']}")
    return found["correct_per_second"]

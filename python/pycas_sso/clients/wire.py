"""One exchange with the server, whatever the library."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

#: Bytes of an answer that are read. The readers of ``casque`` refuse what is longer than 256 KiB.
MAX_BODY = 256 * 1024 + 1

#: Seconds a server has to answer, where the program says nothing.
DEFAULT_TIMEOUT = 10.0


class Send(NamedTuple):
    """A request. Redirections are never followed."""

    #: For the log.
    what: str
    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes | None = None
    #: These cookies and no others; ``None`` for those the library keeps.
    cookies: Mapping[str, str] | None = None


class Reply(NamedTuple):
    """An answer, its body cut off at ``MAX_BODY``."""

    status: int
    body: bytes
    location: str = ""
    cookies: Mapping[str, str] = {}


def cookie_header(cookies: Mapping[str, str]) -> dict[str, str]:
    """The header that sends ``cookies``."""
    if not cookies:
        return {}
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}


def request_headers(send: Send) -> dict[str, str]:
    """Headers of the request, without cookies."""
    return {"Accept-Encoding": "identity", **send.headers}


def seconds(timeout: Any) -> float | None:
    """A number of seconds, if it is one."""
    return float(timeout) if isinstance(timeout, (int, float)) else None


def until(timeout: float | None) -> float | None:
    """When an answer must be there: a timeout of a socket starts again with every byte."""
    return None if timeout is None else time.monotonic() + timeout

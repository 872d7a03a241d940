"""HTTP by requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from urllib3.exceptions import HTTPError, IncompleteRead, ReadTimeoutError

from ..errors import Misuse
from . import MAX_BODY, Headers, Request, Response, failed, too_large, too_slow

_SETTINGS = ("verify", "cert", "proxies", "auth", "headers", "params", "trust_env", "hooks", "max_redirects", "stream")


class Connection:
    """A session that is made when the first request needs it."""

    def __init__(self, timeout: float | None, options: Mapping[str, Any]) -> None:
        self._timeout = timeout
        self._options = dict(options)
        for name in self._options.keys() - {*_SETTINGS, "adapter"}:
            raise Misuse(f"requests has no option {name}; it has {', '.join(_SETTINGS)}")
        self._session: requests.Session | None = None
        self._lock = threading.Lock()

    def send(self, request: Request) -> Response:
        """Send it once. The timeout bounds connecting, and the reading of the answer's body as a whole."""
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        with self._lock:
            if self._session is None:
                self._session = _session(self._options)
        try:
            with self._session.request(
                request.method,
                request.url,
                headers={"Accept-Encoding": "identity", **request.headers},
                data=request.body,
                timeout=self._timeout,
                # Of the session, requests would prefer REQUESTS_CA_BUNDLE to it.
                verify=self._options.get("verify"),
                allow_redirects=False,
                stream=True,
            ) as answer:
                body = _body(answer, deadline)
                headers = answer.raw.headers.items()
                return Response(answer.status_code, Headers(headers), body)
        except (requests.Timeout, ReadTimeoutError) as error:
            raise too_slow() from error
        except (requests.RequestException, HTTPError, OSError) as error:
            raise failed(error) from error

    def close(self) -> None:
        """Close the connections kept for later."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """There is none. requests looks for it even where it may not follow, and reads a body of any size for that."""


def _session(options: Mapping[str, Any]) -> requests.Session:
    session = _Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for name, value in options.items():
        if name == "headers":
            session.headers.update(value)
        elif name == "adapter":
            session.mount("https://", value)
            session.mount("http://", value)
        else:
            setattr(session, name, value)
    return session


def _body(answer: requests.Response, deadline: float | None) -> bytes:
    raw = answer.raw
    # By the piece as it arrives, where urllib3 can do that: a server that sends a byte a second must not hold us.
    read = getattr(raw, "read1", None) or raw.read
    pieces, length = [], 0
    while piece := read(16384, decode_content=False):
        pieces.append(piece)
        length += len(piece)
        if length > MAX_BODY:
            raise too_large()
        if deadline is not None and time.monotonic() > deadline:
            raise too_slow()
    expected = raw.headers.get("Content-Length", "")
    if expected.isdigit() and length < int(expected):
        raise IncompleteRead(length, int(expected) - length)
    return b"".join(pieces)

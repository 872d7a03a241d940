"""HTTP by the standard library, with nothing installed.

It is named for urllib, which knows the proxies of the environment; the connection is http.client's.
"""

from __future__ import annotations

import asyncio
import io
import os
import socket
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from ..errors import Misuse
from . import MAX_BODY, Headers, Request, Response, failed, too_large, too_slow


class Connection:
    """One request, one connection."""

    def __init__(self, timeout: float | None, options: Mapping[str, Any]) -> None:
        options = dict(options)
        self._timeout = timeout
        self._verify = options.pop("verify", True)
        self._cert = options.pop("cert", None)
        self._trust_env = options.pop("trust_env", True)
        if options:
            raise Misuse(f"the standard library's HTTP has no option {', '.join(sorted(options))}")

    def send(self, request: Request) -> Response:
        """Send it once, within the timeout, DNS and TLS included as far as the system lets them be bounded."""
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        try:
            connection, target = self._connect(request.url)
            try:
                return _exchange(connection, target, request, deadline)
            finally:
                connection.close()
        except TimeoutError as error:
            raise too_slow() from error
        except (OSError, HTTPException, ValueError) as error:
            raise failed(error) from error

    def close(self) -> None:
        """Nothing stays open between requests."""

    def _connect(self, url: str) -> tuple[HTTPConnection, str]:
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        proxy = _proxy(parts.scheme, parts.netloc) if self._trust_env else None
        if proxy is None:
            return self._open(host, parts.port, secure), target
        if not secure:
            connection = self._open(proxy.hostname or "", proxy.port, proxy.scheme == "https")
            return connection, url
        connection = HTTPSConnection(
            proxy.hostname or "", proxy.port or 80, timeout=self._timeout, context=self._context()
        )
        connection.set_tunnel(host, parts.port or 443)
        return connection, target

    def _open(self, host: str, port: int | None, secure: bool) -> HTTPConnection:
        if secure:
            return HTTPSConnection(host, port, timeout=self._timeout, context=self._context())
        return HTTPConnection(host, port, timeout=self._timeout)

    def _context(self) -> Any:
        from ._tls import context

        return context(self._verify, self._cert)


class AsyncConnection:
    """The same in a thread."""

    def __init__(self, timeout: float | None, options: Mapping[str, Any]) -> None:
        self._connection = Connection(timeout, options)

    async def asend(self, request: Request) -> Response:
        """Send it once."""
        return await asyncio.to_thread(self._connection.send, request)

    async def aclose(self) -> None:
        """Nothing stays open between requests."""


def _exchange(connection: HTTPConnection, target: str, request: Request, deadline: float | None) -> Response:
    connection.connect()
    if deadline is not None:
        # The timeout of a socket starts again with every byte; this one does not.
        connection.sock = _Deadline(connection.sock, deadline)
    headers = {"Accept-Encoding": "identity", "Connection": "close", **request.headers}
    connection.request(request.method, target, body=request.body, headers=headers)
    answer = connection.getresponse()
    pieces, length = [], 0
    while piece := answer.read(min(65536, MAX_BODY + 1 - length)):
        pieces.append(piece)
        length += len(piece)
        if length > MAX_BODY:
            raise too_large()
    body = b"".join(pieces)
    expected = answer.getheader("Content-Length")
    if expected is not None and expected.isdigit() and length < int(expected):
        raise ConnectionError("the answer was cut short")
    return Response(answer.status, Headers(answer.getheaders()), body)


class _Deadline:
    """A socket that http.client can use, with one deadline for everything."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def _wait(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)

    def sendall(self, data: Any) -> None:
        self._wait()
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reading(self))

    def close(self) -> None:
        self._sock.close()


class _Reading(io.RawIOBase):
    """Holds the socket open after http.client has let go of it, which it does as soon as it has read the headers."""

    def __init__(self, sock: _Deadline) -> None:
        self._of = sock
        self._raw = sock._sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._of._wait()
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _proxy(scheme: str, netloc: str) -> Any:
    """The proxy that the environment names for such an address."""
    if os.name == "posix" and not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass

    host = netloc.rpartition("@")[2]
    proxy = getproxies().get(scheme)
    if not proxy or proxy_bypass(host):
        return None
    return urlsplit(proxy if "://" in proxy else f"http://{proxy}")

"""HTTP by httpx."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import anyio
import httpx

from . import MAX_BODY, Headers, Request, Response, failed, too_large, too_slow
from ._tls import context, nobody

# What shapes httpx's own TLS: with one of these the TLS is httpx's affair.
_OWN = ("transport", "mounts", "http2")


class Connection:
    """A client that is made when the first request needs it: the one for http without any certificates."""

    def __init__(self, timeout: float | None, options: Mapping[str, Any]) -> None:
        self._timeout = timeout
        self._options = dict(options)
        self._clients: dict[bool, httpx.Client] = {}

    def send(self, request: Request) -> Response:
        """Send it once. The timeout bounds connecting, and the reading of the answer's body as a whole."""
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        secure = _is_https(request)
        if secure not in self._clients:
            self._clients[secure] = httpx.Client(**_settings(self._options, self._timeout, secure))
        client = self._clients[secure]
        try:
            with client.stream(
                request.method, request.url, headers=_headers(request), content=request.body, follow_redirects=False
            ) as answer:
                pieces, length = [], 0
                for piece in answer.iter_raw():
                    pieces.append(piece)
                    length += len(piece)
                    _check(length, deadline)
                return Response(answer.status_code, Headers(answer.headers.multi_items()), b"".join(pieces))
        except httpx.TimeoutException as error:
            raise too_slow() from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise failed(error) from error
        finally:
            client.cookies.clear()

    def close(self) -> None:
        """Close the connections kept for later."""
        while self._clients:
            self._clients.popitem()[1].close()


class AsyncConnection:
    """The same, asynchronously, on asyncio and trio."""

    def __init__(self, timeout: float | None, options: Mapping[str, Any]) -> None:
        self._timeout = timeout
        self._options = dict(options)
        self._clients: dict[bool, httpx.AsyncClient] = {}

    async def asend(self, request: Request) -> Response:
        """Send it once, within the timeout."""
        secure = _is_https(request)
        if secure not in self._clients:
            self._clients[secure] = httpx.AsyncClient(**_settings(self._options, self._timeout, secure))
        client = self._clients[secure]
        try:
            with anyio.fail_after(self._timeout):
                async with client.stream(
                    request.method, request.url, headers=_headers(request), content=request.body, follow_redirects=False
                ) as answer:
                    pieces, length = [], 0
                    async for piece in answer.aiter_raw():
                        pieces.append(piece)
                        length += len(piece)
                        _check(length, None)
                    return Response(answer.status_code, Headers(answer.headers.multi_items()), b"".join(pieces))
        except (httpx.TimeoutException, TimeoutError) as error:
            raise too_slow() from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise failed(error) from error
        finally:
            client.cookies.clear()

    async def aclose(self) -> None:
        """Close the connections kept for later."""
        while self._clients:
            await self._clients.popitem()[1].aclose()


def _settings(options: dict[str, Any], timeout: float | None, secure: bool) -> dict[str, Any]:
    settings: dict[str, Any] = {"timeout": timeout, **options}
    settings.pop("follow_redirects", None)
    if not any(name in options for name in _OWN):
        verify, cert = settings.pop("verify", True), settings.pop("cert", None)
        settings["verify"] = context(verify, cert) if secure else nobody()
    return settings


def _headers(request: Request) -> dict[str, str]:
    return {"Accept-Encoding": "identity", **request.headers}


def _is_https(request: Request) -> bool:
    return request.url[:6].lower() == "https:"


def _check(length: int, deadline: float | None) -> None:
    if length > MAX_BODY:
        raise too_large()
    if deadline is not None and time.monotonic() > deadline:
        raise too_slow()

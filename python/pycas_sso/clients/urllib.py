"""The client on the standard library, where no HTTP library is installed."""

from __future__ import annotations

import asyncio
from http.cookies import CookieError, SimpleCookie
from typing import Any

from casque.errors import TransportError
from casque.http import Request, Response, open_transport

from ..errors import CASTransportError
from .core import CASClientBase
from .options import own_options
from .wire import DEFAULT_TIMEOUT, Reply, Send, cookie_header, request_headers

__all__ = ["CASClient_Urllib"]


class CASClient_Urllib(CASClientBase):
    """A client on the standard library, for programs with and without ``async``, which it serves from a thread.

    Options are ``timeout``, ``verify``, ``cert``, ``headers`` and ``trust_env``.
    """

    def __init__(
        self,
        provider: str,
        service_url: str,
        callback_url: str | None = None,
        is_async: bool = False,
        **kwargs: Any,
    ) -> None:
        own, options = own_options(kwargs)
        super().__init__(provider, service_url, callback_url, is_async, **own)
        self._headers: dict[str, str] = dict(options.pop("headers", {}))
        self._login_cookies_to_send: dict[str, str] = {}
        #: The transport, of ``casque.http``.
        self.http = open_transport("urllib", **{"timeout": DEFAULT_TIMEOUT, **options})

    def close(self) -> None:
        self.http.close()

    async def aclose(self) -> None:
        self.http.close()

    def _send(self, send: Send) -> Reply:
        cookies = self._login_cookies_to_send if send.cookies is None else send.cookies
        headers = {**self._headers, **request_headers(send), **cookie_header(cookies)}
        try:
            reply = self.http.send(Request(send.method, send.url, headers, send.body))
        except TransportError as error:
            raise CASTransportError(str(error), error.__cause__) from error.__cause__
        got = _cookies(reply)
        if send.cookies is not None:
            self._login_cookies_to_send = {**send.cookies, **got}
        return Reply(reply.status, reply.body, reply.headers.get("location", ""), got)

    async def _asend(self, send: Send) -> Reply:
        return await asyncio.to_thread(self._send, send)


def _cookies(reply: Response) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in reply.headers.get_all("set-cookie"):
        cookie: SimpleCookie = SimpleCookie()
        try:
            cookie.load(line)
        except CookieError:
            continue
        found.update({name: morsel.value for name, morsel in cookie.items()})
    return found

"""Requests without a library.

Most programs make a client for each login and never touch ``client.http``. What the first installed library would cost
them, its import and its client, is spared until they do. It makes no difference to what is sent or believed: the
certificates are read from the same place, and the proxies of the environment are used as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from casque.errors import TransportError
from casque.http import Request, Response, Transport, open_transport

from ..errors import CASTransportError
from .tls import shared
from .wire import DEFAULT_TIMEOUT, MAX_BODY, Reply, Send, cookie_header, request_headers


class Plain:
    """The standard library's HTTP. It keeps no cookies and no connections."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        settings = {"timeout": DEFAULT_TIMEOUT, "verify": True, **options}
        self._headers: dict[str, str] = dict(settings.pop("headers", None) or {})
        if settings.get("cert") is None:
            settings["verify"] = shared(settings["verify"])
        self.transport: Transport = open_transport("urllib", **settings)

    def exchange(self, send: Send) -> Reply:
        """Send it."""
        headers = {**self._headers, **request_headers(send), **cookie_header(send.cookies or {})}
        try:
            reply = self.transport.send(Request(send.method, send.url, headers, send.body))
        except TransportError as error:
            if error.error_class == "too_large":
                # Left to the readers, which refuse it by its length, as they do whichever library brought it.
                return Reply(200, bytes(MAX_BODY))
            raise CASTransportError(str(error), error.__cause__) from error.__cause__
        return Reply(reply.status, reply.body, reply.headers.get("location", ""), _cookies(reply))


def plain_for(options: Mapping[str, Any]) -> Plain | None:
    """``None`` where an option needs the library."""
    timeout = options.get("timeout", DEFAULT_TIMEOUT)
    if not options.keys() <= {"timeout", "verify"} or not isinstance(timeout, (int, float, type(None))):
        return None
    return Plain(options)


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

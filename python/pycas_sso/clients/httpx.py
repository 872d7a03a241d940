"""The client on httpx. httpx is imported when the first request is made."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import CASUsageError, transport_error
from .core import CASClientBase
from .options import own_options
from .wire import DEFAULT_TIMEOUT, MAX_BODY, Reply, Send, cookie_header, request_headers, seconds, until

if TYPE_CHECKING:
    import httpx

__all__ = ["CASClient_Httpx"]

# What can wait until the first request; with another option the client is made at once, so that a wrong one is
# reported by create().
_KNOWN = {
    *("auth", "base_url", "cert", "cookies", "default_encoding", "event_hooks", "follow_redirects", "headers", "http1"),
    *("http2", "limits", "max_redirects", "mounts", "params", "proxy", "timeout", "transport", "trust_env", "verify"),
}


class CASClient_Httpx(CASClientBase):
    """A client on httpx, for programs with and without ``async``. Options are those of ``httpx.Client``."""

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
        self._options = options
        self._sync: httpx.Client | None = None
        self._async: httpx.AsyncClient | None = None
        if not options.keys() <= _KNOWN:
            _ = self.http

    @property
    def http(self) -> Any:
        """The ``httpx.Client``, or the ``httpx.AsyncClient`` of an asynchronous client. It can be replaced."""
        return self._async_http() if self.is_async else self._sync_http()

    @http.setter
    def http(self, client: Any) -> None:
        if self.is_async:
            self._async = client
        else:
            self._sync = client

    def _sync_http(self) -> httpx.Client:
        if self._sync is None:
            import httpx

            self._sync = httpx.Client(**self._settings())
        return self._sync

    def _async_http(self) -> httpx.AsyncClient:
        if self._async is None:
            import httpx

            self._async = httpx.AsyncClient(**self._settings())
        return self._async

    def _settings(self) -> dict[str, Any]:
        settings = {"timeout": DEFAULT_TIMEOUT, **self._options}
        if "transport" not in settings and settings.get("cert") is None:
            from .tls import shared

            settings["verify"] = shared(settings.get("verify", True))
        return settings

    def _is_open(self) -> bool:
        return self._sync is not None

    def close(self) -> None:
        if self._async is not None:
            raise CASUsageError("This client is asynchronous: use `await client.aclose()` or `async with`.")
        if self._sync is not None:
            self._sync.close()

    async def aclose(self) -> None:
        if self._async is not None:
            await self._async.aclose()
        if self._sync is not None:
            self._sync.close()

    def _send(self, send: Send) -> Reply:
        import httpx

        http = self._sync_http()
        deadline = until(seconds(http.timeout.read))
        try:
            reply = http.send(_request(http, send), stream=True, follow_redirects=False)
            try:
                return _reply(reply, b"".join(_limited(reply, deadline)))
            finally:
                reply.close()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise transport_error(error) from None

    async def _asend(self, send: Send) -> Reply:
        import httpx

        http = self._async_http()
        deadline = until(seconds(http.timeout.read))
        try:
            reply = await http.send(_request(http, send), stream=True, follow_redirects=False)
            try:
                pieces, length = [], 0
                async for piece in reply.aiter_bytes():
                    pieces.append(piece)
                    length += len(piece)
                    if length >= MAX_BODY:
                        break
                    _in_time(reply, deadline)
                return _reply(reply, b"".join(pieces))
            finally:
                await reply.aclose()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise transport_error(error) from None

    def _own_cookies(self, url: str) -> Mapping[str, str]:
        http = self._async if self.is_async else self._sync
        return {} if http is None else {cookie.name: cookie.value or "" for cookie in http.cookies.jar}


def _request(http: Any, send: Send) -> Any:
    import httpx

    if send.cookies is None:
        return http.build_request(send.method, send.url, headers=request_headers(send), content=send.body)
    # Without the client's own cookies, and with everything else of it.
    headers = httpx.Headers(http.headers)
    headers.update({**request_headers(send), **cookie_header(send.cookies)})
    timeout = {"timeout": http.timeout.as_dict()}
    return httpx.Request(send.method, send.url, headers=headers, content=send.body, extensions=timeout)


def _limited(reply: httpx.Response, deadline: float | None) -> Any:
    length = 0
    for piece in reply.iter_bytes():
        yield piece
        length += len(piece)
        if length >= MAX_BODY:
            return
        _in_time(reply, deadline)


def _in_time(reply: httpx.Response, deadline: float | None) -> None:
    if deadline is not None and time.monotonic() > deadline:
        import httpx

        raise httpx.ReadTimeout("the answer takes too long", request=reply.request)


def _reply(reply: httpx.Response, body: bytes) -> Reply:
    cookies = {cookie.name: cookie.value or "" for cookie in reply.cookies.jar}
    return Reply(reply.status_code, body[:MAX_BODY], reply.headers.get("location", ""), cookies)

"""The client on aiohttp, for programs with ``async``. aiohttp is imported when the first request is made."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import CASUsageError, transport_error
from .core import CASClientBase
from .options import own_options
from .wire import DEFAULT_TIMEOUT, MAX_BODY, Reply, Send, cookie_header, request_headers, seconds

if TYPE_CHECKING:
    import aiohttp

__all__ = ["CASClient_AIOHttp"]

_SYNCHRONOUS = "aiohttp has no synchronous side: use {}, or http_lib='httpx' or 'requests'."

# What can wait until there is an event loop; with another option the session is made at once, so that a wrong one is
# reported by create().
_KNOWN = {
    *("auth", "auto_decompress", "base_url", "connector", "connector_owner", "cookie_jar", "cookies"),
    *("fallback_charset", "headers", "json_serialize", "loop", "max_field_size", "max_line_size", "middlewares"),
    *("proxy", "proxy_auth", "raise_for_status", "read_bufsize", "request_class", "requote_redirect_url"),
    *("response_class", "skip_auto_headers", "timeout", "trace_configs", "trust_env", "version", "ws_response_class"),
}


class CASClient_AIOHttp(CASClientBase):
    """A client on aiohttp.

    Options are those of ``aiohttp.ClientSession``; ``timeout`` can be a number of seconds, and ``verify`` and ``cert``
    mean what they mean to httpx and requests. The session is made in the event loop that first uses it.
    """

    def __init__(
        self,
        provider: str,
        service_url: str,
        callback_url: str | None = None,
        is_async: bool = True,
        **kwargs: Any,
    ) -> None:
        own, options = own_options(kwargs)
        super().__init__(provider, service_url, callback_url, True, **own)
        self._verify = options.pop("verify", True)
        self._cert = options.pop("cert", None)
        self._options = options
        self._session: aiohttp.ClientSession | None = None
        if not options.keys() <= _KNOWN:
            _ = self.http

    @property
    def http(self) -> Any:
        """The ``aiohttp.ClientSession``; there must be an event loop. It can be replaced."""
        if self._session is None:
            import aiohttp

            settings = dict(self._options)
            timeout = settings.get("timeout", DEFAULT_TIMEOUT)
            if isinstance(timeout, (int, float)) or timeout is None:
                settings["timeout"] = aiohttp.ClientTimeout(total=seconds(timeout))
            if "connector" not in settings and (self._verify is not True or self._cert is not None):
                from casque.http._tls import context

                settings["connector"] = aiohttp.TCPConnector(ssl=context(self._verify, self._cert))
            self._session = aiohttp.ClientSession(**settings)
        return self._session

    @http.setter
    def http(self, session: Any) -> None:
        self._session = session

    def __enter__(self) -> CASClient_AIOHttp:
        raise CASUsageError(_SYNCHRONOUS.format("`async with`"))

    def close(self) -> None:
        if self._session is not None:
            raise CASUsageError(_SYNCHRONOUS.format("`await client.aclose()`"))

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _send(self, send: Send) -> Reply:
        raise CASUsageError(_SYNCHRONOUS.format("the methods that begin with `a`"))

    async def _asend(self, send: Send) -> Reply:
        import aiohttp

        http = self.http
        try:
            if send.cookies is None:
                return await _exchange(http, send, {})
            # Without the session's cookies, and with its connections, headers and timeout.
            async with aiohttp.ClientSession(
                connector=http.connector,
                connector_owner=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=http.headers,
                skip_auto_headers=http.skip_auto_headers,
                auth=http.auth,
                timeout=http.timeout,
                trust_env=http.trust_env,
                trace_configs=http.trace_configs,
            ) as alone:
                return await _exchange(alone, send, cookie_header(send.cookies))
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            raise transport_error(error) from None

    def _own_cookies(self, url: str) -> Mapping[str, str]:
        if self._session is None:
            return {}
        return {cookie.key: cookie.value for cookie in self._session.cookie_jar}


async def _exchange(http: Any, send: Send, cookies: Mapping[str, str]) -> Reply:
    from yarl import URL

    async with http.request(
        send.method,
        # It is encoded already, and is to stay as it is.
        URL(send.url, encoded=True),
        headers={**request_headers(send), **cookies},
        data=send.body,
        allow_redirects=False,
        raise_for_status=False,
    ) as reply:
        pieces, length = [], 0
        async for piece in reply.content.iter_any():
            pieces.append(piece)
            length += len(piece)
            if length >= MAX_BODY:
                break
        got = {name: morsel.value for name, morsel in reply.cookies.items()}
        return Reply(reply.status, b"".join(pieces)[:MAX_BODY], reply.headers.get("location", ""), got)

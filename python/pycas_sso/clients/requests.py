"""The client on requests, for programs without ``async``. requests is imported when the first request is made."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import CASUsageError, transport_error
from .core import CASClientBase
from .options import own_options
from .wire import DEFAULT_TIMEOUT, MAX_BODY, Reply, Send, cookie_header, request_headers, seconds, until

if TYPE_CHECKING:
    import requests

__all__ = ["CASClient_Requests"]

# Attributes of a session that can be set by keyword.
_SESSION = ("auth", "cert", "cookies", "headers", "hooks", "max_redirects", "params", "proxies", "trust_env", "verify")


class CASClient_Requests(CASClientBase):
    """A client on requests.

    Options are the attributes of ``requests.Session`` and ``timeout``: seconds, or a pair for connecting and reading.
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
        if is_async:
            raise CASUsageError("requests has no asynchronous side: use http_lib='httpx' or 'aiohttp'.")
        super().__init__(provider, service_url, callback_url, False, **own)
        self._timeout = options.get("timeout", DEFAULT_TIMEOUT)
        for name in options:
            if name not in _SESSION and name != "timeout":
                raise TypeError(f"requests has no option {name!r}; it has timeout, {', '.join(_SESSION)}.")
        self._options = options
        self._session: requests.Session | None = None

    @property
    def http(self) -> Any:
        """The ``requests.Session``. It can be replaced."""
        if self._session is None:
            import requests

            session = requests.Session()
            for name, value in self._options.items():
                if name == "timeout":
                    continue
                if name in ("headers", "cookies", "proxies", "hooks", "params"):
                    getattr(session, name).update(value)
                else:
                    setattr(session, name, value)
            self._session = session
        return self._session

    @http.setter
    def http(self, session: Any) -> None:
        self._session = session

    async def __aenter__(self) -> CASClient_Requests:
        raise CASUsageError("requests has no asynchronous side: use `with`, or http_lib='httpx' or 'aiohttp'.")

    def _is_open(self) -> bool:
        return self._session is not None

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    async def aclose(self) -> None:
        self.close()

    def _send(self, send: Send) -> Reply:
        import requests

        session = self.http
        limit = self._timeout[-1] if isinstance(self._timeout, tuple) else self._timeout
        deadline = until(seconds(limit))
        try:
            request = _prepared(session, send)
            # What the session was told wins over the environment, which requests lets win.
            verify = None if session.verify is True else session.verify
            settings = session.merge_environment_settings(request.url, {}, True, verify, None)
            with session.send(request, timeout=self._timeout, allow_redirects=False, **settings) as reply:
                pieces, length = [], 0
                for piece in reply.iter_content(8192):
                    pieces.append(piece)
                    length += len(piece)
                    if length >= MAX_BODY:
                        break
                    if deadline is not None and time.monotonic() > deadline:
                        raise requests.ReadTimeout("the answer takes too long")
                cookies = {cookie.name: cookie.value or "" for cookie in reply.cookies}
                location = reply.headers.get("location", "")
                return Reply(reply.status_code, b"".join(pieces)[:MAX_BODY], location, cookies)
        except requests.RequestException as error:
            raise transport_error(error) from None

    async def _asend(self, send: Send) -> Reply:
        raise CASUsageError("requests has no asynchronous side: use http_lib='httpx' or 'aiohttp'.")

    def _own_cookies(self, url: str) -> Mapping[str, str]:
        return {} if self._session is None else {cookie.name: cookie.value or "" for cookie in self._session.cookies}


def _prepared(session: requests.Session, send: Send) -> requests.PreparedRequest:
    import requests

    headers = request_headers(send)
    if send.cookies is None:
        return session.prepare_request(requests.Request(send.method, send.url, headers=headers, data=send.body))
    # Without the session's own cookies, and with everything else of it.
    bare = requests.Session()
    bare.headers, bare.auth, bare.hooks, bare.params = session.headers, session.auth, session.hooks, session.params
    bare.trust_env = session.trust_env
    headers.update(cookie_header(send.cookies))
    return bare.prepare_request(requests.Request(send.method, send.url, headers=headers, data=send.body))

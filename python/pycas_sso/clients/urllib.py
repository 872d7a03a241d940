"""The client on the standard library, where no HTTP library is installed."""

from __future__ import annotations

import asyncio
from typing import Any

from .core import CASClientBase
from .options import own_options
from .plain import Plain
from .wire import Reply, Send

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
        for name in options.keys() - {"timeout", "verify", "cert", "headers", "trust_env"}:
            raise TypeError(f"The standard library's HTTP has no option {name!r}: install httpx, requests or aiohttp.")
        self._http = Plain(options)
        #: The transport, of ``casque.http``.
        self.http: Any = self._http.transport

    def close(self) -> None:
        self.http.close()

    async def aclose(self) -> None:
        self.http.close()

    def _send(self, send: Send) -> Reply:
        return self._http.exchange(send)

    async def _asend(self, send: Send) -> Reply:
        return await asyncio.to_thread(self._send, send)

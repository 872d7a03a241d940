"""The client, asynchronously."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from ._core import Assertion
from ._exchange import Format, Protocol, Settings
from .errors import Misuse
from .http import AsyncTransport, open_transport


class AsyncClient(Settings):
    """Signs people in with a CAS server, asynchronously: :class:`casque.Client` with ``await``.

    ``http`` is ``httpx``, ``aiohttp``, ``urllib`` (in a thread), or ``default``: the first of these that is installed.
    """

    def __init__(
        self,
        server: str,
        service: str | None = None,
        *,
        protocol: Protocol = "cas3",
        format: Format | None = None,
        renew: bool = False,
        allowed_chains: Iterable[Iterable[str]] = (),
        pgt_url: str | None = None,
        tolerate: Iterable[str] = (),
        any_ticket: bool = False,
        login_page: str | None = None,
        allow_plain_http: bool = False,
        clock_tolerance: float = 5.0,
        clock: Callable[[], float] = time.time,
        http: str = "default",
        timeout: float | None = 10.0,
        transport: AsyncTransport | None = None,
        **http_options: Any,
    ) -> None:
        super().__init__(
            server,
            service,
            protocol=protocol,
            format=format,
            renew=renew,
            allowed_chains=allowed_chains,
            pgt_url=pgt_url,
            tolerate=tolerate,
            any_ticket=any_ticket,
            login_page=login_page,
            allow_plain_http=allow_plain_http,
            clock_tolerance=clock_tolerance,
            clock=clock,
        )
        if transport is not None and http_options:
            raise Misuse(f"{', '.join(http_options)}: a transport of your own has its own options")
        self._transport: AsyncTransport = (
            open_transport(http, is_async=True, timeout=timeout, **http_options) if transport is None else transport
        )

    async def validate(
        self, ticket: str, service: str | None = None, *, renew: bool = False, pgt_url: str | None = None
    ) -> Assertion:
        """Ask the server whose ticket this is: see :meth:`casque.Client.validate`."""
        request, read = self._validation(ticket, service, renew, pgt_url)
        return read(await self._transport.asend(request))

    async def proxy_ticket(self, pgt: str, target_service: str) -> str:
        """Get a ticket for another service in the user's name, for a proxy-granting ticket."""
        request, read = self._proxy(pgt, target_service)
        return read(await self._transport.asend(request))

    async def aclose(self) -> None:
        """Close the connections kept for later."""
        await self._transport.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

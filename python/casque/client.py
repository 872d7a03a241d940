"""The client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from ._core import Assertion
from ._exchange import Format, Protocol, Settings
from .errors import Misuse
from .http import Transport, open_transport


class Client(Settings):
    """Signs people in with a CAS server.

    ``server`` is the URL that the server's endpoints are below, with or without a slash at its end; ``service`` is the
    address that people come back to with a ticket, and for which the ticket is validated.

    - ``protocol``: ``cas3`` (with attributes), ``cas2``, ``cas1`` (the name only) or ``saml`` (SAML 1.1)
    - ``format``: ``XML`` or ``JSON`` to ask for it; either is read, whichever comes
    - ``renew``: only credentials given just now count, at login and again at validation
    - ``allowed_chains``: the proxy chains that people may come through, each with the most recent proxy first; none by
      default
    - ``pgt_url``: where the server sends proxy-granting tickets; see :class:`casque.PgtReceptor`
    - ``tolerate``: habits of servers that are refused otherwise: ``missing_namespace``, ``undeclared_prefix``,
      ``latin1``
    - ``any_ticket``: tickets need not begin with ``ST-`` or ``PT-``
    - ``login_page``: the server's login page, where it is not ``login`` below ``server``
    - ``allow_plain_http``: speak http to another machine, where whoever can answer in its place can sign in as anybody
    - ``clock_tolerance``: by how many seconds the two clocks may differ; for SAML
    - ``http``: ``default``, ``urllib`` (the standard library), ``httpx`` or ``requests``; other keywords are
      the library's
    - ``timeout``: seconds for an answer
    - ``transport``: sends the requests instead of any of these libraries

    A ticket is sent once and never again, and no redirect is followed. The client may be shared by threads. It can be
    used with ``with``; :meth:`close` closes
    the connections it keeps.
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
        transport: Transport | None = None,
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
        self._transport: Transport = (
            open_transport(http, timeout=timeout, **http_options) if transport is None else transport
        )

    def validate(
        self, ticket: str, service: str | None = None, *, renew: bool = False, pgt_url: str | None = None
    ) -> Assertion:
        """Ask the server whose ticket this is.

        ``service`` is the address that the login was asked for, if it is not the client's. Raises
        :class:`casque.AuthenticationFailure` where the server says no, :class:`casque.InvalidTicket` where it need not
        be asked, and any other :class:`casque.CASError`; whatever is raised, nobody is signed in.
        """
        request, read = self._validation(ticket, service, renew, pgt_url)
        return read(self._transport.send(request))

    def proxy_ticket(self, pgt: str, target_service: str) -> str:
        """Get a ticket for another service in the user's name, for a proxy-granting ticket."""
        request, read = self._proxy(pgt, target_service)
        return read(self._transport.send(request))

    def close(self) -> None:
        """Close the connections kept for later."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

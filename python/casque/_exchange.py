"""What the clients ask and how they read the answer, without any HTTP: shared by the two."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal

from . import _core
from ._core import Assertion, Server
from .errors import Misuse
from .http import Request, Response

if TYPE_CHECKING:
    from typing import TypeAlias

Protocol: TypeAlias = 'Literal["cas1", "cas2", "cas3", "saml"]'
Format: TypeAlias = 'Literal["XML", "JSON"]'
Method: TypeAlias = 'Literal["GET", "POST", "HEADER"]'

# For service tickets only, and for proxy tickets too.
_ENDPOINTS = {
    "cas1": ("/validate", "/validate"),
    "cas2": ("/serviceValidate", "/proxyValidate"),
    "cas3": ("/p3/serviceValidate", "/p3/proxyValidate"),
    "saml": ("/samlValidate", "/samlValidate"),
}
_XML = "application/xml, text/xml, application/json;q=0.9"
_JSON = "application/json, application/xml;q=0.9, text/xml;q=0.9"


class Settings:
    """The settings of a client, checked once, and the URLs that follow from them."""

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
    ) -> None:
        self._server = Server(server, allow_plain_http=allow_plain_http, login_page=login_page, any_ticket=any_ticket)
        if service is not None:
            self._server.check_service(service)
        if protocol not in _ENDPOINTS:
            raise Misuse(f"protocol: there is no {protocol!r}; known are {', '.join(_ENDPOINTS)}")
        if format not in (None, "XML", "JSON"):
            raise Misuse("format: XML or JSON")
        if isinstance(allowed_chains, str):
            raise Misuse("allowed_chains: a list of chains, each a list of proxy URLs with the most recent first")
        self._chains = [chain if isinstance(chain, str) else list(chain) for chain in allowed_chains]
        self._tolerate = tolerate if isinstance(tolerate, str) else list(tolerate)
        _core.check_options(tolerate=self._tolerate, allowed_chains=self._chains)
        extended = protocol in ("cas2", "cas3")
        for name, value in (("format", format), ("allowed_chains", self._chains), ("pgt_url", pgt_url)):
            if value and not extended:
                raise Misuse(f"{name}: the protocol {protocol} has no such thing; cas2 and cas3 have")
        if pgt_url is not None:
            self._server.check_pgt_url(pgt_url)
        if not clock_tolerance >= 0:
            raise Misuse("clock_tolerance: seconds, zero or more")
        self._service = service
        self._protocol = protocol
        self._format = format
        self._renew = renew
        self._pgt_url = pgt_url
        self._any_ticket = any_ticket
        self._clock_tolerance = clock_tolerance
        self._clock = clock

    @property
    def server(self) -> str:
        """The URL of the CAS server, without a slash at its end."""
        return self._server.base

    @property
    def service(self) -> str | None:
        """The service used where a call names none."""
        return self._service

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.server!r}>"

    def login_url(
        self, service: str | None = None, *, renew: bool = False, gateway: bool = False, method: Method | None = None
    ) -> str:
        """Where to send a browser that has to log in. It comes back to the service with a ticket.

        ``renew`` asks for credentials even if the user is signed in at the server; validate with ``renew`` then, or
        make the client with ``renew=True``, which does both. ``gateway`` asks for nothing: who is not signed in comes
        back without a ticket.
        """
        if gateway and (renew or self._renew):
            raise Misuse("renew and gateway: one says always ask, the other never ask; set one of them")
        return self._server.login_url(
            self._service_of(service), renew=renew or self._renew, gateway=gateway, method=method
        )

    def logout_url(self, service: str | None = None) -> str:
        """Where to send a browser that has to log out everywhere; the server may send it on to ``service``."""
        return self._server.logout_url(service)

    def _service_of(self, service: str | None) -> str:
        service = self._service if service is None else service
        if service is None:
            raise Misuse("service: name it when the client is made, or in this call")
        return service

    def _validation(
        self, ticket: str, service: str | None, renew: bool, pgt_url: str | None
    ) -> tuple[Request, Callable[[Response], Assertion]]:
        service = self._service_of(service)
        pgt_url = self._pgt_url if pgt_url is None else pgt_url
        if pgt_url is not None and self._protocol not in ("cas2", "cas3"):
            raise Misuse(f"pgt_url: the protocol {self._protocol} has no such thing; cas2 and cas3 have")
        endpoint = _ENDPOINTS[self._protocol][bool(self._chains)]
        url = self._server.validate_url(
            endpoint, service, ticket, renew=renew or self._renew, format=self._format, pgt_url=pgt_url
        )
        if self._protocol == "saml":
            return self._saml(url, service, ticket)
        if self._protocol == "cas1":
            return Request("GET", url, {"Accept": "text/plain"}), self._read_cas1
        accept = _JSON if self._format == "JSON" else _XML
        return Request("GET", url, {"Accept": accept}), self._read(endpoint)

    def _saml(self, url: str, service: str, ticket: str) -> tuple[Request, Callable[[Response], Assertion]]:
        envelope, _ = _core.build_saml_request(
            ticket, now=self._clock(), random=os.urandom(16), any_ticket=self._any_ticket
        )
        headers = {
            "Content-Type": "text/xml; charset=utf-8",
            "Accept": "text/xml",
            "SOAPAction": '"http://www.oasis-open.org/committees/security"',
        }

        def read(answer: Response) -> Assertion:
            return _core.parse_saml_response(
                answer.body,
                target=service,
                now=self._clock(),
                status=answer.status,
                tolerance=self._clock_tolerance,
                tolerate=self._tolerate,
            )

        return Request("POST", url, headers, envelope.encode()), read

    def _read_cas1(self, answer: Response) -> Assertion:
        return _core.parse_cas1_response(answer.body, status=answer.status, tolerate=self._tolerate)

    def _read(self, endpoint: str) -> Callable[[Response], Assertion]:
        def read(answer: Response) -> Assertion:
            return _core.parse_service_response(
                answer.body,
                status=answer.status,
                endpoint=endpoint,
                tolerate=self._tolerate,
                allowed_chains=self._chains,
            )

        return read

    def _proxy(self, pgt: str, target_service: str) -> tuple[Request, Callable[[Response], str]]:
        url = self._server.proxy_url(pgt, target_service)

        def read(answer: Response) -> str:
            return _core.parse_proxy_response(answer.body, status=answer.status, tolerate=self._tolerate)

        return Request("GET", url, {"Accept": _XML}), read

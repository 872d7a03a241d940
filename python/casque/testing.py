"""A CAS server for tests, with faults that a real one does not show on demand.

>>> from casque import Client
>>> from casque.testing import FakeCas
>>> with FakeCas() as server, Client(server.url, "https://app.example.org/login") as cas:
...     ticket = server.ticket("ada", "https://app.example.org/login", {"mail": ["ada@example.org"]})
...     cas.validate(ticket).attributes.first("mail")
'ada@example.org'

It lives on loopback, on a port of its own, in threads of the test. Anybody who comes to its login page is signed in at
once as :attr:`FakeCas.user`.

:class:`Demo` is a real one, where the program ``casque`` is installed. For pytest there are the fixtures ``fake_cas``
and ``casque_demo``.
"""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, quote, urlsplit
from xml.sax.saxutils import escape, quoteattr

from ._core import strip_ticket
from ._demo import Demo, find_casque

__all__ = ["Demo", "FakeCas", "Fault", "RecordedRequest", "find_casque"]

Fault = Literal["close", "cut", "drip", "error", "garbage", "gzip", "html", "huge", "redirect", "silent", "unavailable"]


@dataclass(frozen=True)
class RecordedRequest:
    """A request that came in."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def parameter(self, name: str) -> str | None:
        """The parameter of the query, if it is there."""
        return parse_qs(self.query, keep_blank_values=True).get(name, [None])[0]


@dataclass
class _Ticket:
    user: str
    service: str
    attributes: Mapping[str, Iterable[str]] = field(default_factory=dict)
    proxies: tuple[str, ...] = ()
    fresh: bool = True


class FakeCas:
    """The server. It is a context manager; :attr:`url` is what a client is made with.

    With ``tls`` it speaks https, with the certificate of that context, as ``localhost``.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        #: Who is signed in at the login page.
        self.user = "ada"
        #: What is said about them.
        self.attributes: dict[str, list[str]] = {}
        #: Every request so far.
        self.requests: list[RecordedRequest] = []
        self._faults: list[Fault] = []
        self._tickets: dict[str, _Ticket] = {}
        self._pgts: dict[str, str] = {}
        self._count = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.cas = self
        self._secure = tls is not None
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The URL that the endpoints are below."""
        origin = "https://localhost" if self._secure else "http://127.0.0.1"
        return f"{origin}:{self._server.server_address[1]}/cas"

    def ticket(
        self,
        user: str,
        service: str,
        attributes: Mapping[str, Iterable[str]] | None = None,
        *,
        proxies: Iterable[str] = (),
        fresh: bool = True,
    ) -> str:
        """Issue a ticket; with ``proxies``, a proxy ticket. ``fresh`` says whether credentials were given for it."""
        chain = tuple(proxies)
        name = self._name("PT" if chain else "ST")
        self._tickets[name] = _Ticket(user, service, attributes or {}, chain, fresh)
        return name

    def proxy_granting_ticket(self, user: str) -> str:
        """Issue a proxy-granting ticket."""
        name = self._name("PGT")
        self._pgts[name] = user
        return name

    def fault(self, *faults: Fault) -> None:
        """What happens to the next requests at a validating endpoint or ``/proxy``, one after the other."""
        self._faults.extend(faults)

    def close(self) -> None:
        """End it, and let go of whoever still waits for an answer."""
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> FakeCas:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _name(self, prefix: str) -> str:
        with self._lock:
            self._count += 1
            return f"{prefix}-{self._count}-{self._count:029d}"

    def _take_fault(self) -> Fault | None:
        with self._lock:
            return self._faults.pop(0) if self._faults else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    cas: FakeCas

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what the faults are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._handle(b"")

    def do_POST(self) -> None:
        self._handle(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged: URLs hold tickets."""

    def _handle(self, body: bytes) -> None:
        cas, parts = self.server.cas, urlsplit(self.path)
        cas.requests.append(RecordedRequest(self.command, parts.path, parts.query, dict(self.headers), body))
        page = parts.path.removeprefix("/cas/")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if page == "login":
            service = strip_ticket(query.get("service", ""))
            ticket = cas.ticket(cas.user, service, cas.attributes)
            self._answer(303, b"", Location=f"{service}{'&' if '?' in service else '?'}ticket={quote(ticket)}")
        elif page == "logout":
            self._answer(200, b"<p>You are logged out.</p>", "text/html")
        elif page in ("validate", "serviceValidate", "proxyValidate", "p3/serviceValidate", "p3/proxyValidate"):
            self._judge(page, query)
        elif page == "samlValidate":
            self._with_fault(_saml(cas, query, body), "text/xml")
        elif page == "proxy":
            self._with_fault(_proxy(cas, query), "application/xml")
        else:
            self._answer(404, b"not found")

    def _judge(self, page: str, query: Mapping[str, str]) -> None:
        ticket, refusal = _redeem(self.server.cas, query, accepts_proxied=page.endswith("proxyValidate"))
        if page == "validate":
            text = f"yes\n{ticket.user}\n" if ticket else "no\n\n"
            self._with_fault(text, "text/plain")
        elif query.get("format", "").upper() == "JSON":
            self._with_fault(_json(ticket, refusal), "application/json")
        else:
            self._with_fault(_xml(ticket, refusal, page.startswith("p3/")), "application/xml")

    def _with_fault(self, text: str, content_type: str) -> None:
        cas, body = self.server.cas, text.encode()
        fault = cas._take_fault()
        if fault == "error":
            self._answer(500, body, content_type)
        elif fault == "unavailable":
            self._answer(503, b"<html><body>Down for maintenance</body></html>", "text/html")
        elif fault == "html":
            self._answer(200, b"<!DOCTYPE html><html><body>Welcome</body></html>", "text/html")
        elif fault == "garbage":
            self._answer(200, b"\x00\xff" * 100, "application/octet-stream")
        elif fault == "gzip":
            self._answer(200, gzip.compress(body), content_type, **{"Content-Encoding": "gzip"})
        elif fault == "redirect":
            self._answer(302, body, content_type, Location=self.path)
        elif fault == "close":
            self._hang_up()
        elif fault == "cut":
            self._head(len(body) + 100, content_type)
            self.wfile.write(body)
            self._hang_up()
        elif fault == "huge":
            self._head(1 << 40, content_type)
            while not cas._over.is_set():
                self.wfile.write(b" " * 65536)
        elif fault == "silent":
            cas._over.wait()
            self._hang_up()
        elif fault == "drip":
            self._head(1 << 40, content_type)
            while not cas._over.wait(0.01):
                self.wfile.write(b" ")
        else:
            self._answer(200, body, content_type)

    def _head(self, length: int, content_type: str, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _answer(self, status: int, body: bytes, content_type: str = "text/plain", **headers: str) -> None:
        self._head(len(body), content_type, status, **headers)
        self.wfile.write(body)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


_Refusal = tuple[str, str]


def _redeem(cas: FakeCas, query: Mapping[str, str], *, accepts_proxied: bool) -> tuple[_Ticket | None, _Refusal]:
    """The ticket, spent by this; or why there is none."""
    name, service = query.get("ticket"), query.get("service")
    if not name or not service:
        return None, ("INVALID_REQUEST", "service and ticket are both required")
    ticket = cas._tickets.pop(name, None)
    if ticket is None or (ticket.proxies and not accepts_proxied):
        return None, ("INVALID_TICKET", f"Ticket '{name}' not recognized")
    if ticket.service != service:
        return None, ("INVALID_SERVICE", f"Ticket '{name}' does not match the service")
    if query.get("renew") and not ticket.fresh:
        return None, ("INVALID_TICKET", f"Ticket '{name}' is not from a new login")
    return ticket, ("", "")


def _envelope(content: str) -> str:
    return f'<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas">{content}</cas:serviceResponse>\n'


def _xml(ticket: _Ticket | None, refusal: _Refusal, with_attributes: bool) -> str:
    if ticket is None:
        failure = f"<cas:authenticationFailure code={quoteattr(refusal[0])}>{escape(refusal[1])}"
        return _envelope(f"{failure}</cas:authenticationFailure>")
    parts = [f"<cas:user>{escape(ticket.user)}</cas:user>"]
    if with_attributes:
        values = [(name, value) for name, values in ticket.attributes.items() for value in values]
        inner = "".join(f"<cas:{name}>{escape(value)}</cas:{name}>" for name, value in values)
        parts.append(f"<cas:attributes>{inner}</cas:attributes>")
    if ticket.proxies:
        inner = "".join(f"<cas:proxy>{escape(proxy)}</cas:proxy>" for proxy in ticket.proxies)
        parts.append(f"<cas:proxies>{inner}</cas:proxies>")
    return _envelope(f"<cas:authenticationSuccess>{''.join(parts)}</cas:authenticationSuccess>")


def _json(ticket: _Ticket | None, refusal: _Refusal) -> str:
    if ticket is None:
        outcome: dict[str, Any] = {"authenticationFailure": {"code": refusal[0], "description": refusal[1]}}
    else:
        attributes = {name: list(values) for name, values in ticket.attributes.items()}
        success: dict[str, Any] = {"user": ticket.user, "attributes": attributes}
        if ticket.proxies:
            success["proxies"] = list(ticket.proxies)
        outcome = {"authenticationSuccess": success}
    return json.dumps({"serviceResponse": outcome})


def _proxy(cas: FakeCas, query: Mapping[str, str]) -> str:
    user = cas._pgts.get(query.get("pgt", ""))
    if user is None:
        return _envelope('<cas:proxyFailure code="BAD_PGT">the ticket is not recognized</cas:proxyFailure>')
    ticket = cas.ticket(user, query.get("targetService", ""), proxies=["https://proxy.example.org/pgt"])
    return _envelope(f"<cas:proxySuccess><cas:proxyTicket>{ticket}</cas:proxyTicket></cas:proxySuccess>")


def _saml(cas: FakeCas, query: Mapping[str, str], body: bytes) -> str:
    name = body.decode().partition("AssertionArtifact>")[2].partition("<")[0]
    target = query.get("TARGET", "")
    ticket, _ = _redeem(cas, {**query, "ticket": name, "service": target}, accepts_proxied=True)
    now = datetime.fromtimestamp(time.time(), timezone.utc)
    stamp, later = (moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in (now, now + timedelta(seconds=30)))
    inner = '<saml1p:Status><saml1p:StatusCode Value="saml1p:RequestDenied"/></saml1p:Status>'
    if ticket is not None:
        subject = f"<saml1:Subject><saml1:NameIdentifier>{escape(ticket.user)}</saml1:NameIdentifier></saml1:Subject>"
        values = "".join(
            f'<saml1:Attribute AttributeName={quoteattr(name)} AttributeNamespace="http://www.ja-sig.org/products/cas/">'
            f"{''.join(f'<saml1:AttributeValue>{escape(value)}</saml1:AttributeValue>' for value in values)}"
            "</saml1:Attribute>"
            for name, values in ticket.attributes.items()
        )
        statement = f"<saml1:AttributeStatement>{subject}{values}</saml1:AttributeStatement>" if values else ""
        inner = (
            '<saml1p:Status><saml1p:StatusCode Value="saml1p:Success"/></saml1p:Status>'
            f'<saml1:Assertion xmlns:saml1="urn:oasis:names:tc:SAML:1.0:assertion" AssertionID="_a" Issuer="localhost" '
            f'IssueInstant="{stamp}" MajorVersion="1" MinorVersion="1">'
            f'<saml1:Conditions NotBefore="{stamp}" NotOnOrAfter="{later}"><saml1:AudienceRestrictionCondition>'
            f"<saml1:Audience>{escape(target)}</saml1:Audience></saml1:AudienceRestrictionCondition></saml1:Conditions>"
            f'<saml1:AuthenticationStatement AuthenticationInstant="{stamp}" '
            f'AuthenticationMethod="urn:oasis:names:tc:SAML:1.0:am:password">{subject}</saml1:AuthenticationStatement>'
            f"{statement}</saml1:Assertion>"
        )
    return (
        '<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/"><SOAP-ENV:Body>'
        f'<saml1p:Response xmlns:saml1p="urn:oasis:names:tc:SAML:1.0:protocol" IssueInstant="{stamp}" MajorVersion="1" '
        f'MinorVersion="1" ResponseID="_r">{inner}</saml1p:Response></SOAP-ENV:Body></SOAP-ENV:Envelope>'
    )


def fake_cas() -> Iterator[FakeCas]:
    """For a fixture: ``fake_cas = pytest.fixture(casque.testing.fake_cas)``."""
    with FakeCas() as server:
        yield server

"""What the clients of every HTTP library share: all of CAS, and no HTTP."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import (
    CASConfigurationWarning,
    CASProxyFailure,
    CASServiceAuthenticationFailure,
    CASUsageError,
    one_line,
)
from ..schemas import CASLoginData, CASLogoutData, CASProxyData, CASServiceValidateData
from . import answers
from .addresses import Addresses, split_provider
from .answers import Answer, ticket_from_url
from .wire import Reply, Send

if TYPE_CHECKING:
    from casque.proxy import PgtStore

    from .plain import Plain

__all__ = ["VALIDATE_WITH_VARIABLE", "CASClientBase", "ticket_from_url"]

logger = logging.getLogger(__name__)

#: The environment variable that sets ``validate_with`` for a whole program.
VALIDATE_WITH_VARIABLE = "PYCAS_SSO_VALIDATE_WITH"
_VALIDATE_WITH = ("callback_url", "service_url")

_C = TypeVar("_C", bound="CASClientBase")

# The pairs of URLs that have been warned about: one warning each and process.
_warned: set[tuple[str, ...]] = set()

# Tickets of `login()` that have not been validated yet are remembered by the client, the newest.
_REMEMBERED_TICKETS = 64

_SAML_HEADERS = {
    "SOAPAction": '"http://www.oasis-open.org/committees/security"',
    "Content-Type": "text/xml; charset=utf-8",
    "Accept": "text/xml",
}


class CASClientBase(Addresses):
    """A client for one CAS server and one service.

    ``CASClient.create()`` makes the right subclass. Every method that asks the server exists twice, ``validate()``
    for programs without and ``avalidate()`` for programs with ``async``; so do ``with`` and ``async with``.

    Args:
        provider: base URL of the CAS server. A slash at its end and a query are understood.
        service_url: the service that ``login()`` and ``logout()`` name.
        callback_url: the service that ``login_form_url()`` names; ``service_url`` if left out.
        is_async: whether the client will be used with ``await``. ``async with`` says the same.
        validate_with: what a ticket is validated with where nothing better is known: ``callback_url``, the service
            the login form was asked for, or ``service_url``, as PyCAS-SSO does. Without it the environment variable
            ``PYCAS_SSO_VALIDATE_WITH`` is asked, which also turns back what ``login()`` calls a success, what
            ``saml_validate()`` believes (with a warning) and ``gateway`` beside ``renew``.
        renew: ask for the password at each login, and believe no ticket that came without: sent to the login form
            and with every validation, so that a user cannot leave it out.
        tolerate: names of ``casque``'s tolerances for old servers, such as ``missing_namespace``.
        allowed_proxy_chains: the chains of proxies ``proxy_validate()`` lets through, the most recent proxy first.
            Without it every chain is let through, as PyCAS-SSO does: look at ``proxies``.
        pgt_store: where the callback of ``casque.proxy`` keeps proxy-granting tickets; see ``proxy_granting_ticket()``.
    """

    provider: str
    service_url: str
    is_async: bool

    def __init__(
        self,
        provider: str,
        service_url: str,
        callback_url: str | None = None,
        is_async: bool = False,
        *,
        validate_with: str | None = None,
        renew: bool = False,
        tolerate: Iterable[str] = (),
        allowed_proxy_chains: Iterable[Iterable[str]] | None = None,
        pgt_store: PgtStore | None = None,
    ) -> None:
        self.provider = provider
        self.service_url = service_url
        self.callback_url = service_url if callback_url is None else callback_url
        self.is_async = is_async
        self.validate_with, self._as_before = _validate_with(validate_with)
        self.renew = renew
        self.tolerate = tuple(tolerate)
        self.allowed_proxy_chains = (
            None if allowed_proxy_chains is None else [list(chain) for chain in allowed_proxy_chains]
        )
        self.pgt_store = pgt_store
        self._base, self._base_query = split_provider(provider)
        self._options = {}
        self._tickets_of_login: dict[str, str] = {}
        self._login_cookies: set[tuple[str, str]] = set()
        self._session_of_login: dict[str, str] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} for {self._base}>"

    def __deepcopy__(self: _C, memo: dict[int, Any]) -> _C:
        # So that dataclasses.asdict() can be used on results: a client holds connections.
        return self

    # Opening and closing

    def __enter__(self: _C) -> _C:
        if self.is_async:
            raise CASUsageError("This client is asynchronous (is_async=True): use `async with`, not `with`.")
        return self

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. ``with`` does it."""
        raise NotImplementedError()

    async def __aenter__(self: _C) -> _C:
        self.is_async = True
        return self

    async def __aexit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections. ``async with`` does it."""
        raise NotImplementedError()

    # One exchange with the server: what a subclass provides

    def _send(self, send: Send) -> Reply:
        raise NotImplementedError()

    async def _asend(self, send: Send) -> Reply:
        raise NotImplementedError()

    def _is_open(self) -> bool:
        """Whether ``http`` exists: then it is used, as the program may have changed it."""
        return True

    # Without a library: see plain.py

    _options: dict[str, Any]
    _plain: Plain | None = None

    def _may_be_plain(self, library: str) -> None:
        """Do without the library until the program touches ``http``, where its options need nothing of it."""
        if not self.is_async and library not in sys.modules and not self._is_open():
            from .plain import plain_for

            self._plain = plain_for(self._options)

    def _own_cookies(self, url: str) -> Mapping[str, str]:
        """The cookies that the program has put into ``http``, and those of earlier logins."""
        return {}

    def _call(self, send: Send) -> Reply:
        if self.is_async:
            raise CASUsageError("This client is asynchronous (is_async=True): use the method that begins with `a`.")
        if self._plain is not None and send.cookies is None and send.what != "logout" and not self._is_open():
            return self._logged(send, self._plain.exchange(send))
        return self._logged(send, self._send(send))

    async def _acall(self, send: Send) -> Reply:
        return self._logged(send, await self._asend(send))

    def _logged(self, send: Send, reply: Reply) -> Reply:
        # Not the query: it holds the ticket.
        logger.debug("[pycas-sso][%s] %d %s %s", send.what, reply.status, send.method, send.url.partition("?")[0])
        return reply

    # The service of a ticket

    def _service_of(self, ticket: str, service: str | None) -> str:
        """What ``ticket`` is validated with: what the login used, as far as that can be known."""
        if service is not None:
            return service
        if ticket in self._tickets_of_login:
            return self._tickets_of_login.pop(ticket)
        if self.validate_with == "service_url":
            return self.service_url
        if self.callback_url != self.service_url:
            self._warn_of_two_services()
        return self.callback_url

    def _warn_of_two_services(self) -> None:
        what = (self.provider, self.service_url, self.callback_url)
        if what in _warned:
            return
        _warned.add(what)
        text = (
            f"service_url ({self.service_url}) and callback_url ({self.callback_url}) differ. Users log in for "
            "callback_url, so tickets are validated with it. Give both the same URL; or, if the server is to be "
            "asked about service_url, as PyCAS-SSO does, pass validate_with='service_url' or set the environment "
            f"variable {VALIDATE_WITH_VARIABLE}=service_url."
        )
        logger.warning("[pycas-sso] %s", text)
        # Logged already; nobody is kept out where warnings are errors.
        with suppress(CASConfigurationWarning):
            warnings.warn(text, CASConfigurationWarning, stacklevel=_outside())

    def _remember_login(self, data: CASLoginData) -> CASLoginData:
        if data.ticket:
            self._tickets_of_login[data.ticket] = self.service_url
            while len(self._tickets_of_login) > _REMEMBERED_TICKETS:
                self._tickets_of_login.pop(next(iter(self._tickets_of_login)), None)
        return data

    # Logging in and out without a browser

    def login(
        self,
        username: str,
        password: str,
        remember: bool = False,
        warn: bool = False,
        extra_data: dict[str, Any] | None = None,
    ) -> CASLoginData:
        """Log a user in as a browser does: fetch the form, send it back with user name and password.

        Each call has cookies of its own, so nobody gets the ticket of whoever logged in before. The ticket is for
        ``service_url``, and this client validates it with that.

        Args:
            username: name of the user.
            password: password of the user.
            remember: tick "remember me".
            warn: tick "warn me before logging me into other sites"; a server then shows a page first.
            extra_data: further fields, which win over those of the form. With ``execution`` or ``lt`` among them
                no form is fetched: the caller has done so, and the cookies in ``http`` are sent.

        Returns:
            ``success`` says whether a ticket came back.
        """
        from .login import Login

        steps = Login(self, username, password, remember, warn, extra_data)
        form = steps.form()
        if form is not None:
            steps.read_form(self._call(form))
        return self._remember_login(steps.result(self._call(steps.post())))

    async def alogin(
        self,
        username: str,
        password: str,
        remember: bool = False,
        warn: bool = False,
        extra_data: dict[str, Any] | None = None,
    ) -> CASLoginData:
        """``login()`` for ``await``."""
        from .login import Login

        steps = Login(self, username, password, remember, warn, extra_data)
        form = steps.form()
        if form is not None:
            steps.read_form(await self._acall(form))
        return self._remember_login(steps.result(await self._acall(steps.post())))

    def _cookies_of_program(self) -> dict[str, str]:
        """Without those of earlier logins, which belong to somebody else."""
        return {
            name: value
            for name, value in self._own_cookies(self._base).items()
            if (name, value) not in self._login_cookies
        }

    def _logout_send(self) -> Send:
        return Send("logout", "GET", self.logout_url(service=self.service_url), cookies=self._session_of_login)

    def logout(self) -> bool:
        """End the session that ``login()`` of this client began.

        It cannot end the session of a user with a browser: send that user to ``logout_url()``. A redirection is not
        followed.

        Returns:
            Whether the server answered with a page or a redirection.
        """
        return 200 <= self._call(self._logout_send()).status < 400

    async def alogout(self) -> bool:
        """``logout()`` for ``await``."""
        return 200 <= (await self._acall(self._logout_send())).status < 400

    # CAS 1

    def _validate_send(self, ticket: str, renew: bool, service: str | None) -> Send:
        answers.check_ticket(self, ticket)
        parameters = {"service": self._service_of(ticket, service), "ticket": ticket}
        if renew or self.renew:
            parameters["renew"] = "true"
        return Send("validate", "GET", self.validate_url(**parameters))

    def fetch_validate(self, ticket: str, renew: bool = False, *, service: str | None = None) -> str:
        """The user a ticket belongs to, by CAS 1; ``validate()`` wraps it.

        Raises:
            CASServiceAuthenticationFailure: the server said no, or nothing that names exactly one user.
        """
        return answers.read_cas1(self, self._call(self._validate_send(ticket, renew, service)))

    async def afetch_validate(self, ticket: str, renew: bool = False, *, service: str | None = None) -> str:
        """``fetch_validate()`` for ``await``."""
        return answers.read_cas1(self, await self._acall(self._validate_send(ticket, renew, service)))

    def validate(self, ticket: str, renew: bool = False, *, service: str | None = None) -> CASServiceValidateData:
        """Validate a ticket by CAS 1, which knows no attributes. Arguments and errors: ``service_validate()``."""
        return CASServiceValidateData(self, self.fetch_validate(ticket, renew, **_given(service)))

    async def avalidate(
        self, ticket: str, renew: bool = False, *, service: str | None = None
    ) -> CASServiceValidateData:
        """``validate()`` for ``await``."""
        return CASServiceValidateData(self, await self.afetch_validate(ticket, renew, **_given(service)))

    # CAS 2 and 3

    def _ticket_send(
        self,
        what: str,
        url: Any,
        ticket: str,
        pgt_url: str | None,
        renew: bool,
        version: int | str,
        service: str | None,
    ) -> Send:
        answers.check_ticket(self, ticket)
        parameters = {"service": self._service_of(ticket, service), "ticket": ticket}
        if pgt_url is not None:
            parameters["pgtUrl"] = pgt_url
        if renew or self.renew:
            parameters["renew"] = "true"
        return Send(what, "GET", url(version, **parameters))

    def _service_validate_send(self, *arguments: Any) -> Send:
        return self._ticket_send("serviceValidate", self.service_validate_url, *arguments)

    def _proxy_validate_send(self, *arguments: Any) -> Send:
        return self._ticket_send("proxyValidate", self.proxy_validate_url, *arguments)

    def fetch_service_validate(
        self,
        ticket: str,
        pgt_url: str | None = None,
        renew: bool = False,
        version: int | str = 2,
        *,
        service: str | None = None,
    ) -> bytes:
        """The server's answer as it came, whatever its status: not a proof of anything. See ``service_validate()``."""
        return Answer.of(self._call(self._service_validate_send(ticket, pgt_url, renew, version, service)))

    async def afetch_service_validate(
        self,
        ticket: str,
        pgt_url: str | None = None,
        renew: bool = False,
        version: int | str = 2,
        *,
        service: str | None = None,
    ) -> bytes:
        """``fetch_service_validate()`` for ``await``."""
        return Answer.of(await self._acall(self._service_validate_send(ticket, pgt_url, renew, version, service)))

    def service_validate(
        self,
        ticket: str,
        pgt_url: str | None = None,
        renew: bool = False,
        version: int | str = 2,
        *,
        service: str | None = None,
    ) -> CASServiceValidateData:
        """Ask the server whom a ticket belongs to. A user who came through a proxy is refused.

        Args:
            ticket: what the server added to ``callback_url``.
            pgt_url: callback for a proxy-granting ticket.
            renew: refuse a ticket that came without a password.
            version: 2, or 3 for attributes; many servers release none to version 2.
            service: the service the login was asked for, where it is neither ``callback_url`` nor from ``login()``.

        Raises:
            CASServiceAuthenticationFailure: the ticket proves nothing. Below it are ``CASResponseError`` (also a
                ``ValueError``) for an answer that cannot be read and ``CASTicketError`` for what cannot be a ticket.
            CASTransportError: no answer.
        """
        content = self.fetch_service_validate(ticket, pgt_url, renew, version, **_given(service))
        return self._parse_service_validate_content(content)

    async def aservice_validate(
        self,
        ticket: str,
        pgt_url: str | None = None,
        renew: bool = False,
        version: int | str = 2,
        *,
        service: str | None = None,
    ) -> CASServiceValidateData:
        """``service_validate()`` for ``await``."""
        content = await self.afetch_service_validate(ticket, pgt_url, renew, version, **_given(service))
        return self._parse_service_validate_content(content)

    def _parse_service_validate_content(self, content: bytes, proxy_validate: bool = False) -> CASServiceValidateData:
        return answers.read_service_response(self, content, proxy_validate)

    def fetch_proxy_validate(
        self,
        ticket: str,
        pgt_url: str | None = None,
        renew: bool = False,
        version: int | str = 2,
        *,
        service: str | None = None,
    ) -> bytes:
        """The server's answer as it came, whatever its status: not a proof of anything. See ``proxy_validate()``."""
        return Answer.of(self._call(self._proxy_validate_send(ticket, pgt_url, renew, version, service)))

    async def afetch_proxy_validate(
        self,
        ticket: str,
        pgt_url: str | None = None,
        renew: bool = False,
        version: int | str = 2,
        *,
        service: str | None = None,
    ) -> bytes:
        """``fetch_proxy_validate()`` for ``await``."""
        return Answer.of(await self._acall(self._proxy_validate_send(ticket, pgt_url, renew, version, service)))

    def proxy_validate(
        self,
        ticket: str,
        pgt_url: str | None = None,
        renew: bool = False,
        version: int | str = 2,
        *,
        service: str | None = None,
    ) -> CASServiceValidateData:
        """``service_validate()`` that also lets in users who came through proxies, which ``proxies`` names."""
        content = self.fetch_proxy_validate(ticket, pgt_url, renew, version, **_given(service))
        return self._parse_service_validate_content(content, proxy_validate=True)

    async def aproxy_validate(
        self,
        ticket: str,
        pgt_url: str | None = None,
        renew: bool = False,
        version: int | str = 2,
        *,
        service: str | None = None,
    ) -> CASServiceValidateData:
        """``proxy_validate()`` for ``await``."""
        content = await self.afetch_proxy_validate(ticket, pgt_url, renew, version, **_given(service))
        return self._parse_service_validate_content(content, proxy_validate=True)

    # Proxy tickets

    def _proxy_send(self, pgt: str, target_service: str) -> Send:
        return Send("proxy", "GET", self.proxy_url(pgt=pgt, targetService=target_service))

    def fetch_proxy(self, pgt: str, target_service: str) -> bytes:
        """The server's answer as it came, whatever its status. See ``proxy()``."""
        return Answer.of(self._call(self._proxy_send(pgt, target_service)))

    async def afetch_proxy(self, pgt: str, target_service: str) -> bytes:
        """``fetch_proxy()`` for ``await``."""
        return Answer.of(await self._acall(self._proxy_send(pgt, target_service)))

    def proxy(self, pgt: str, target_service: str) -> CASProxyData:
        """A ticket with which ``target_service`` lets this application act for the user.

        Args:
            pgt: the proxy-granting ticket, which the server has sent to the callback: ``proxy_granting_ticket()``
                finds it. The ``proxy_granting_ticket`` of a validation is only its name.
            target_service: whom the ticket is for.

        Raises:
            CASProxyFailure: there is none. Below it is ``CASProxyResponseError``, also a ``ValueError``.
        """
        return self._parse_proxy_content(self.fetch_proxy(pgt, target_service))

    async def aproxy(self, pgt: str, target_service: str) -> CASProxyData:
        """``proxy()`` for ``await``."""
        return self._parse_proxy_content(await self.afetch_proxy(pgt, target_service))

    def _parse_proxy_content(self, content: bytes) -> CASProxyData:
        return answers.read_proxy_response(self, content)

    def proxy_granting_ticket(self, data: CASServiceValidateData) -> str | None:
        """The proxy-granting ticket that came to the callback for this validation, from ``pgt_store``.

        Raises:
            CASUsageError: the client was made without ``pgt_store``.
        """
        if self.pgt_store is None:
            raise CASUsageError("Give create() a pgt_store: the store the callback of casque.proxy writes to.")
        if data.pgt_iou is None:
            return None
        return self.pgt_store.take(data.pgt_iou)

    # SAML 1.1

    def _saml_send(
        self, ticket: str, request_id: str | None, issued_at: datetime | None, service: str | None
    ) -> tuple[Send, str]:
        body = answers.saml_request(self, ticket, request_id, issued_at)
        target = self._service_of(ticket, service)
        url = self.saml_validate_url(TARGET=target)
        return Send("samlValidate", "POST", url, headers=_SAML_HEADERS, body=body), target

    def fetch_saml_validate(
        self,
        ticket: str,
        request_id: str | None = None,
        issued_at: datetime | None = None,
        *,
        service: str | None = None,
    ) -> bytes:
        """The server's answer as it came, whatever its status: not a proof of anything. See ``saml_validate()``."""
        send, target = self._saml_send(ticket, request_id, issued_at, service)
        return Answer.of(self._call(send), target)

    async def afetch_saml_validate(
        self,
        ticket: str,
        request_id: str | None = None,
        issued_at: datetime | None = None,
        *,
        service: str | None = None,
    ) -> bytes:
        """``fetch_saml_validate()`` for ``await``."""
        send, target = self._saml_send(ticket, request_id, issued_at, service)
        return Answer.of(await self._acall(send), target)

    def saml_validate(
        self,
        ticket: str,
        request_id: str | None = None,
        issued_at: datetime | None = None,
        *,
        service: str | None = None,
    ) -> CASServiceValidateData:
        """Validate a ticket by SAML 1.1. The assertion must be in force, and for this service.

        Args:
            ticket: what the server added to the URL, as ``SAMLart`` or ``ticket``.
            request_id: name of the request; drawn at random if left out. One that begins as an ``xs:ID`` may not
                gets an underscore in front.
            issued_at: time of the request, now if left out. A time without a zone is local time.
            service: as in ``service_validate()``.

        Raises:
            CASUntrustedResponse: out of date, or for another service.
            CASServiceAuthenticationFailure: as in ``service_validate()``.
        """
        content = self.fetch_saml_validate(ticket, request_id, issued_at, **_given(service))
        return self._parse_saml_validate_content(content)

    async def asaml_validate(
        self,
        ticket: str,
        request_id: str | None = None,
        issued_at: datetime | None = None,
        *,
        service: str | None = None,
    ) -> CASServiceValidateData:
        """``saml_validate()`` for ``await``."""
        content = await self.afetch_saml_validate(ticket, request_id, issued_at, **_given(service))
        return self._parse_saml_validate_content(content)

    def _parse_saml_validate_content(self, content: bytes) -> CASServiceValidateData:
        return answers.read_saml_response(self, content)

    # Single logout

    @staticmethod
    def parse_logout_request(content: bytes | str) -> CASLogoutData:
        """Read a logout request: the document, or the body of the server's ``POST``.

        The time is UTC without a zone, as PyCAS-SSO gives it; ``issued_at_utc`` has the zone. A fraction of a second
        and the form of RFC 1123 are read, anything else stays text.

        Raises:
            casque.errors.MalformedResponse: not a logout request for one session. It is a ``ValueError``.
        """
        return answers.read_logout_request(content)

    def _refused(self, what: str, error: CASServiceAuthenticationFailure | CASProxyFailure) -> None:
        # The text is one line and holds no ticket; the server's own words may be otherwise.
        logger.error("[pycas-sso][%s] %s: %s", what, error.code, one_line(error.message))
        if error.code == "INVALID_SERVICE" and self.callback_url != self.service_url:
            logger.error(
                "[pycas-sso][%s] The ticket was given for another service than it was validated with. Validate with "
                "service= where the login named another than callback_url, or see validate_with.",
                what,
            )


def _given(service: str | None) -> dict[str, str]:
    """Only what was given, for subclasses that override a ``fetch`` method with PyCAS-SSO's arguments."""
    return {} if service is None else {"service": service}


def _validate_with(keyword: str | None) -> tuple[str, bool]:
    """What to validate with, and whether the environment asks for PyCAS-SSO's ways."""
    if keyword is not None:
        value, source = keyword, "validate_with"
    else:
        value, source = os.environ.get(VALIDATE_WITH_VARIABLE, "").strip() or "callback_url", VALIDATE_WITH_VARIABLE
    if value not in _VALIDATE_WITH:
        raise CASUsageError(f"{source} is {value!r}; it can be 'callback_url' (the default) or 'service_url'.")
    return value, keyword is None and value == "service_url"


def _outside() -> int:
    """The ``stacklevel`` of the nearest caller outside this package."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("pycas_sso"):
        frame, level = frame.f_back, level + 1
    return level

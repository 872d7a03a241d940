"""From the answers of a server to what PyCAS-SSO returns and raises. The reading is done by ``casque._core``."""

from __future__ import annotations

import logging
import os
import re
import time
from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from casque import _core
from casque import errors as casque

from ..errors import (
    CASForbiddenXML,
    CASProxyFailure,
    CASProxyResponseError,
    CASResponseError,
    CASServiceAuthenticationFailure,
    CASTicketError,
    CASUnexpectedStatus,
    CASUntrustedResponse,
    CASUsageError,
)
from ..schemas import CASLogoutData, CASProxyData, CASServiceValidateData

if TYPE_CHECKING:
    from .core import CASClientBase
    from .wire import Reply

logger = logging.getLogger(__name__)

_VARIABLE = "PYCAS_SSO_VALIDATE_WITH"
_SAML_METHOD = "samlAuthenticationStatementAuthMethod"


class Answer(bytes):
    """The body of an answer that remembers where it came from: ``fetch_…()`` methods return nothing but bytes."""

    http_status: int
    target: str | None

    @classmethod
    def of(cls, reply: Reply, target: str | None = None) -> Answer:
        answer = cls(reply.body)
        answer.http_status = reply.status
        answer.target = target
        return answer


def ticket_from_url(url: str) -> str:
    """The one ticket in the query of ``url``, or an empty string."""
    try:
        return _core.ticket_from_url(url) or ""
    except casque.CASError:
        return ""


def check_ticket(client: CASClientBase, ticket: str) -> None:
    """Refuse what cannot be a ticket before it is sent anywhere (S-036)."""
    try:
        _core.check_ticket(ticket)
    except (casque.InvalidTicket, TypeError) as error:
        refusal = CASTicketError(client, "INVALID_TICKET", error_class="invalid_ticket")
        raise refusal from (error if isinstance(error, casque.CASError) else None)


def read_cas1(client: CASClientBase, reply: Reply) -> str:
    """The user in an answer to ``/validate``."""
    with _Translated(client, "validate"):
        try:
            return _core.parse_cas1_response(reply.body, status=reply.status, tolerate=client.tolerate).user
        except casque.AuthenticationFailure as error:
            # CAS 1 says no more than no: these are PyCAS-SSO's words.
            error.code, error.server_message = "VALIDATE_FAILED", "Ticket validation failed."
            raise


def read_service_response(client: CASClientBase, content: bytes, proxy_validate: bool) -> CASServiceValidateData:
    """Who an answer to ``/serviceValidate`` or ``/proxyValidate`` is about."""
    chains: Any = "any" if client.allowed_proxy_chains is None else client.allowed_proxy_chains
    with _Translated(client, "proxyValidate" if proxy_validate else "serviceValidate"):
        assertion = _core.parse_service_response(
            content,
            status=getattr(content, "http_status", 200),
            endpoint="/proxyValidate" if proxy_validate else "/serviceValidate",
            tolerate=client.tolerate,
            allowed_chains=chains,
        )
    attrs = _attrs(assertion.attributes.to_dict())
    if not attrs:
        logger.debug("[pycas-sso] The server released no attributes. Many do so by version=3 only.")
    return CASServiceValidateData(
        client,
        assertion.user,
        assertion.proxy_granting_ticket_iou,
        attrs or None,
        assertion.proxies or None,
    )


def read_proxy_response(client: CASClientBase, content: bytes) -> CASProxyData:
    """The ticket in an answer to ``/proxy``."""
    with _Translated(client, "proxy", CASProxyFailure, CASProxyResponseError):
        ticket = _core.parse_proxy_response(
            content, status=getattr(content, "http_status", 200), tolerate=client.tolerate
        )
    return CASProxyData(client, ticket)


def saml_request(client: CASClientBase, ticket: str, request_id: str | None, issued_at: datetime | None) -> bytes:
    """The request to ``/samlValidate``."""
    check_ticket(client, ticket)
    # A time without a zone is local, as everywhere in Python; it is sent in UTC.
    now = time.time() if issued_at is None else issued_at.timestamp()
    if now < 0:
        raise CASUsageError("issued_at is before 1970.")
    body, drawn = _core.build_saml_request(ticket, now=now, random=os.urandom(16))
    if request_id is not None:
        body = body.replace(f'"{drawn}"', f'"{_xml_id(str(request_id))}"', 1)
    return body.encode("utf-8")


def _xml_id(text: str) -> str:
    text = re.sub(r"[^A-Za-z0-9_.-]", "_", text)
    return text if re.match(r"[A-Za-z_]", text) else f"_{text}"


def read_saml_response(client: CASClientBase, content: bytes) -> CASServiceValidateData:
    """Who an answer to ``/samlValidate`` is about."""
    target = getattr(content, "target", None) or client._service_of("", None)
    status = getattr(content, "http_status", 200)

    def read(conditions: bool) -> _core.Assertion:
        return _core.parse_saml_response(
            content, target=target, now=time.time(), status=status, tolerate=client.tolerate, conditions=conditions
        )

    with _Translated(client, "samlValidate"):
        try:
            assertion = read(True)
        except casque.UntrustedResponse as error:
            if not client._as_before:
                raise
            assertion = read(False)
            logger.warning("[pycas-sso][samlValidate] believed, because of %s: %s", _VARIABLE, error)
    attributes = assertion.attributes.to_dict()
    if _SAML_METHOD.encode() not in bytes(content):
        # It comes from the authentication statement: PyCAS-SSO has what the attribute statement says.
        attributes.pop(_SAML_METHOD, None)
    return CASServiceValidateData(client, assertion.user, attrs=_attrs(attributes))


def read_logout_request(content: bytes | str) -> CASLogoutData:
    """What a logout request is about."""
    request = _core.parse_logout_request(content, any_ticket=True)
    return CASLogoutData(request.id or "", _instant(request.issue_instant or ""), request.session_index)


def _instant(text: str) -> datetime | str:
    """UTC without a zone, or the text."""
    moment = None
    iso = re.fullmatch(r"\s*(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(Z|[+-]\d\d:\d\d)?\s*", text, re.ASCII)
    with suppress(ValueError, OverflowError, TypeError):
        if iso is not None:
            seconds, fraction, zone = iso.groups()
            zone = "+00:00" if zone in (None, "Z") else zone
            moment = datetime.fromisoformat(f"{seconds}.{(fraction or '').ljust(6, '0')}{zone}")
        elif "," in text:
            from email.utils import parsedate_to_datetime

            moment = parsedate_to_datetime(text)
        if moment is not None and moment.tzinfo is not None:
            moment = moment.astimezone(timezone.utc).replace(tzinfo=None)
    return text if moment is None else moment


def _attrs(values: dict[str, list[str]]) -> dict[str, Any]:
    """PyCAS-SSO's shape: one value as it is, several as a list, an empty one as ``None``."""
    shaped = {name: [value or None for value in several] for name, several in values.items()}
    return {name: several[0] if len(several) == 1 else several for name, several in shaped.items()}


class _Translated:
    """Turns the errors of ``casque`` into those of PyCAS-SSO's family."""

    def __init__(
        self,
        client: CASClientBase,
        what: str,
        refused: type[CASServiceAuthenticationFailure | CASProxyFailure] = CASServiceAuthenticationFailure,
        unreadable: type[CASResponseError | CASProxyResponseError | CASUntrustedResponse] = CASResponseError,
    ) -> None:
        self._client = client
        self._what = what
        self._refused = refused
        self._unreadable = unreadable

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if not isinstance(error, casque.CASError) or isinstance(error, casque.Misuse):
            return
        if isinstance(error, (casque.AuthenticationFailure, casque.ProxyFailure)):
            refusal = self._refused(self._client, error.code, error.server_message, http_status=error.status)
            self._client._refused(self._what, refusal)
            raise refusal from None
        unreadable = self._unreadable
        if unreadable is CASResponseError:
            if isinstance(error, casque.ForbiddenXML):
                unreadable = CASForbiddenXML
            elif isinstance(error, casque.UnexpectedStatus):
                unreadable = CASUnexpectedStatus
            elif isinstance(error, casque.UntrustedResponse):
                unreadable = CASUntrustedResponse
        logger.error("[pycas-sso][%s] %s", self._what, error)
        raise unreadable(
            self._client, None, text=str(error), http_status=error.status, error_class=error.error_class
        ) from error

"""What the clients raise.

There are the two classes of PyCAS-SSO, each under the error of ``casque`` that means the same, and finer ones
below them. An answer that could not be read, or must not be believed, is one of PyCAS-SSO's two classes *and* a
``ValueError``, because its callers catch either. Everything is a :class:`casque.errors.CASError`.

No text holds a ticket or a password, and every text is one line.
"""

from __future__ import annotations

from typing import Any, ClassVar

from casque import errors as _casque
from casque.errors import CASError

__all__ = [
    "AUTHENTICATION_ERRORS",
    "PROXY_ERRORS",
    "CASConfigurationWarning",
    "CASError",
    "CASForbiddenXML",
    "CASProxyFailure",
    "CASProxyResponseError",
    "CASResponseError",
    "CASServiceAuthenticationFailure",
    "CASTicketError",
    "CASTransportError",
    "CASUnexpectedStatus",
    "CASUntrustedResponse",
    "CASUsageError",
]

# What ``str()`` gives for the codes of the specification (§2.5.3): callers show and compare these texts.
_ALL_PARAMETERS = "Not all of the required request parameters were present."
_INTERNAL = "An internal error occured during ticket validation."

#: ``str()`` of a refused validation, by its code. The words of the server are in ``server_message``.
AUTHENTICATION_ERRORS = {
    "INVALID_REQUEST": _ALL_PARAMETERS,
    "INVALID_TICKET_SPEC": "Failure to meet the requirements of validation specification.",
    "UNAUTHORIZED_SERVICE_PROXY": "The service is not authorized to perform proxy authentication.",
    "INVALID_PROXY_CALLBACK": (
        "The proxy callback specified is invalid. The credentials specified for proxy authentication "
        "do not meet the security requirements."
    ),
    "INVALID_TICKET": (
        "The ticket provided was not valid, or the ticket did not come from an initial login "
        "and renew was set on validation."
    ),
    "INVALID_SERVICE": (
        "The ticket provided was valid, but the service specified did not match the service associated with the ticket."
    ),
    "INTERNAL_ERROR": _INTERNAL,
}

#: ``str()`` of a refused proxy ticket, by its code.
PROXY_ERRORS = {
    "INVALID_REQUEST": _ALL_PARAMETERS,
    "UNAUTHORIZED_SERVICE": "Service is unauthorized to perform the proxy request.",
    "INTERNAL_ERROR": _INTERNAL,
}


class CASConfigurationWarning(UserWarning):
    """A setting that works, but does not say what it does; the text names the fix."""


def _set_up(error: CASError, text: str, error_class: str | None) -> None:
    # Not by super(): the next class may be of an HTTP library, and want what only that library has.
    Exception.__init__(error, text)
    error.code = None
    error.server_message = None
    error.status = None
    error.error_class = error_class


class _Refusal(CASError):
    """What the two classes of PyCAS-SSO share."""

    #: The client that asked. It is not pickled.
    client: Any

    _TEXTS: ClassVar[dict[str, str]] = {}

    def __init__(
        self,
        client: Any,
        code: str | None,
        message: str | None = "",
        *,
        text: str | None = None,
        http_status: int | None = None,
        error_class: str | None = None,
    ) -> None:
        words = (message or "").strip()
        if text is None:
            text = self._TEXTS.get(code or "") or one_line(words)
        Exception.__init__(self, text)
        self.client = client
        self.code = code
        self.server_message = words or None
        self.status = http_status
        self.error_class = error_class

    @property
    def message(self) -> str:
        """The server's words, as text even where there are none. They may repeat the ticket: do not log them."""
        return self.server_message or ""

    @property
    def http_status(self) -> int | None:
        """Status of the answer; ``None`` if there was none."""
        return self.status

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(code={self.code!r}, http_status={self.status!r}, message={str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: value for name, value in self.__dict__.items() if name != "client"}
        return (_unpickled, (type(self), self.args), {**state, "client": None})


def _unpickled(kind: type[BaseException], args: tuple[Any, ...]) -> BaseException:
    error = kind.__new__(kind)
    error.args = args
    return error


class CASServiceAuthenticationFailure(_Refusal, _casque.AuthenticationFailure):
    """The ticket does not prove who the user is."""

    _TEXTS = AUTHENTICATION_ERRORS


class CASProxyFailure(_Refusal, _casque.ProxyFailure):
    """The server gave no proxy ticket."""

    _TEXTS = PROXY_ERRORS


class CASTicketError(CASServiceAuthenticationFailure, _casque.InvalidTicket):
    """The ticket cannot be one. Nothing was sent."""


class CASResponseError(CASServiceAuthenticationFailure, _casque.MalformedResponse):
    """The answer to a validation cannot be read: garbage, a DTD, an empty user, an HTTP error."""


class CASProxyResponseError(CASProxyFailure, _casque.MalformedResponse):
    """The answer to a request for a proxy ticket cannot be read."""


class CASForbiddenXML(CASResponseError, _casque.ForbiddenXML):
    """The answer has a DTD, which no CAS server sends."""


class CASUnexpectedStatus(CASResponseError, _casque.UnexpectedStatus):
    """The answer came with an HTTP status that says it is none."""


class CASUntrustedResponse(CASServiceAuthenticationFailure, _casque.UntrustedResponse):
    """The answer can be read and must not be believed: a SAML assertion out of date or for another service, or
    proxies that are not allowed."""


class CASUsageError(_casque.Misuse, NotImplementedError):
    """A call that this client cannot do, or a setting that makes no sense."""

    def __init__(self, text: str) -> None:
        _set_up(self, text, None)


class CASTransportError(_casque.TransportError):
    """The server could not be reached, or gave no answer in time.

    An instance is also of the class of the library's own exception, so that ``except httpx.HTTPError`` and
    ``except requests.RequestException`` still catch it.
    """

    #: The library's own exception. It can hold the ticket: do not log it.
    cause: BaseException | None

    def __init__(self, text: str, cause: BaseException | None = None) -> None:
        _set_up(self, text, "transport")
        self.cause = cause

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""

    def __reduce__(self) -> tuple[Any, ...]:
        return (CASTransportError, self.args)


def transport_error(cause: BaseException) -> CASTransportError:
    """The error for an exception of an HTTP library."""
    text = one_line(str(cause)) or "no details"
    error = _transport_class(type(cause))(f"No answer from the CAS server: {type(cause).__name__}: {text}", cause)
    for name, value in vars(cause).items():
        error.__dict__.setdefault(name, value)
    return error


def _transport_class(kind: type[BaseException]) -> type[CASTransportError]:
    if kind not in _transport_classes:
        _transport_classes[kind] = _both(kind)
    return _transport_classes[kind]


_transport_classes: dict[Any, type[CASTransportError]] = {}


def _both(kind: type[BaseException]) -> type[CASTransportError]:
    try:
        return type(kind.__name__, (CASTransportError, kind), {"__module__": __name__})
    except TypeError:
        return CASTransportError


def one_line(text: str) -> str:
    """What a log may hold: one line, bounded, without secrets and control characters."""
    from casque._core import redact

    return redact(" ".join(text.split()))

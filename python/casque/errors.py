"""What can go wrong, by whose fault it is.

- :class:`AuthenticationFailure`: the server refused the ticket; send the user to log in again
- :class:`InvalidTicket`, also an AuthenticationFailure: what the browser brought is no ticket; nothing was sent
- :class:`ProxyFailure`: the server refused a proxy ticket
- :class:`MalformedResponse`: the answer cannot be read; :class:`ForbiddenXML` for DTDs and the like,
  :class:`UnexpectedStatus` for an HTTP error
- :class:`UntrustedResponse`: the answer can be read, and is not for us: proxy chain, period of validity, audience
- :class:`TransportError`: no answer came; ``__cause__`` is the HTTP library's exception
- :class:`Misuse`: a mistake in the program or its settings

All of them are a :class:`CASError`. Their texts hold no ticket, are one line, and can be logged.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "AuthenticationFailure",
    "CASError",
    "ForbiddenXML",
    "InvalidTicket",
    "MalformedResponse",
    "Misuse",
    "ProxyFailure",
    "TransportError",
    "UnexpectedStatus",
    "UntrustedResponse",
]


class CASError(Exception):
    """Any error of casque."""

    #: The code of the server, such as ``INVALID_TICKET``, if there was one.
    code: str | None
    #: The words of the server as they came. They may repeat the ticket: log ``str(error)`` instead.
    server_message: str | None
    #: The HTTP status of the answer, if there was one.
    status: int | None
    #: What is wrong with a message, such as ``missing_user`` or ``saml_audience``.
    error_class: str | None

    def __init__(
        self,
        message: str = "",
        *,
        code: str | None = None,
        server_message: str | None = None,
        status: int | None = None,
        error_class: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.server_message = server_message
        self.status = status
        self.error_class = error_class

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args, self.__dict__


class AuthenticationFailure(CASError):
    """The server refused the ticket. ``code`` is None where it did not say why, as in CAS 1."""


class InvalidTicket(AuthenticationFailure, ValueError):
    """This is no ticket, so it was not sent to the server."""


class ProxyFailure(CASError):
    """The server refused to give a proxy ticket."""


class MalformedResponse(CASError, ValueError):
    """The message cannot be read; nobody is signed in."""


class ForbiddenXML(MalformedResponse):
    """The document holds what no CAS message needs and attackers like, such as a DTD."""


class UnexpectedStatus(MalformedResponse):
    """The answer came with an HTTP status that no answer of this kind has."""


class UntrustedResponse(CASError):
    """The answer is not for us: an unknown proxy chain, or an assertion that is expired or for another service."""


class TransportError(CASError):
    """No answer came: the connection failed, broke, took too long, or brought too much."""


class Misuse(CASError, ValueError):
    """A mistake in the program or its settings; the text says what to write instead."""

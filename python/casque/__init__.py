"""CAS single sign-on.

>>> from casque import Client
>>> cas = Client("https://cas.example.org/cas", "https://app.example.org/login")
>>> cas.login_url()
'https://cas.example.org/cas/login?service=https%3A%2F%2Fapp.example.org%2Flogin'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._core import (
    Assertion,
    Attributes,
    LogoutRequest,
    __version__,
    parse_logout_request,
    redact,
    return_url,
    strip_ticket,
    ticket_from_url,
    ticket_in_request,
)
from .errors import (
    AuthenticationFailure,
    CASError,
    ForbiddenXML,
    InvalidTicket,
    MalformedResponse,
    Misuse,
    ProxyFailure,
    TransportError,
    UnexpectedStatus,
    UntrustedResponse,
)

if TYPE_CHECKING:
    from .aio import AsyncClient
    from .client import Client
    from .logout import LogoutAnswer, LogoutReceiver
    from .proxy import MemoryPgtStore, PgtAnswer, PgtReceptor, PgtStore

__all__ = [
    "Assertion",
    "AsyncClient",
    "Attributes",
    "AuthenticationFailure",
    "CASError",
    "Client",
    "ForbiddenXML",
    "InvalidTicket",
    "LogoutAnswer",
    "LogoutReceiver",
    "LogoutRequest",
    "MalformedResponse",
    "MemoryPgtStore",
    "Misuse",
    "PgtAnswer",
    "PgtReceptor",
    "PgtStore",
    "ProxyFailure",
    "TransportError",
    "UnexpectedStatus",
    "UntrustedResponse",
    "__version__",
    "parse_logout_request",
    "redact",
    "return_url",
    "strip_ticket",
    "ticket_from_url",
    "ticket_in_request",
]

# Imported when asked for: whoever reads messages only needs none of it.
_LATER = {
    "AsyncClient": ".aio",
    "Client": ".client",
    "LogoutAnswer": ".logout",
    "LogoutReceiver": ".logout",
    "MemoryPgtStore": ".proxy",
    "PgtAnswer": ".proxy",
    "PgtReceptor": ".proxy",
    "PgtStore": ".proxy",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        value = getattr(import_module(_LATER[name], __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

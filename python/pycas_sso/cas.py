"""The factory of the clients.

Nothing else is imported until a client is made: no HTTP library, no XML parser, no TLS.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .clients.core import CASClientBase

__all__ = ["SUPPORTED_HTTP_LIBS", "CASClient", "CASClientBase"]

#: The HTTP libraries a client can be made on, the preferred one first.
SUPPORTED_HTTP_LIBS = ["httpx", "requests", "aiohttp"]


class CASClient:
    """Makes a client on one of the HTTP libraries."""

    @staticmethod
    def create(
        provider: str,
        service_url: str,
        callback_url: str | None = None,
        *args: Any,
        http_lib: str = "default",
        **kwargs: Any,
    ) -> CASClientBase:
        """Return a client for the CAS server at ``provider``.

        Args:
            provider: base URL of the server, such as ``https://cas.example.org/cas``.
            service_url: the service, used by ``login()``.
            callback_url: where the server sends the user after the login form; ``service_url`` if left out.
                Tickets are validated with it, because that is the service the login used.
            http_lib: ``httpx``, ``requests``, ``aiohttp``, ``urllib`` (the standard library), or ``default``: the
                first one installed that suits ``is_async``, and the standard library where none is.
            args: ``is_async``, by position.
            kwargs: ``is_async``; ``validate_with``, ``renew``, ``tolerate``, ``allowed_proxy_chains`` and
                ``pgt_store``, which :class:`~pycas_sso.clients.core.CASClientBase` explains; everything else goes
                to the HTTP library. ``timeout``, ``verify``, ``cert`` and ``headers`` work with each of them.

        Raises:
            ValueError: an unknown ``http_lib``, a library that cannot do what ``is_async`` asks, or an unknown value
                of ``validate_with`` or of the environment variable ``PYCAS_SSO_VALIDATE_WITH``.
            TypeError: an option the HTTP library does not have.
        """
        if http_lib != "default":
            return CASClient._on(http_lib, provider, service_url, callback_url, *args, **kwargs)
        library = _installed(bool(args[0]) if args else bool(kwargs.get("is_async", False)))
        client = CASClient._on(library, provider, service_url, callback_url, *args, **kwargs)
        client._may_be_plain(library)
        return client

    @staticmethod
    def _on(
        library: str, provider: str, service_url: str, callback_url: str | None, *args: Any, **kwargs: Any
    ) -> CASClientBase:
        if library == "httpx":
            from .clients.httpx import CASClient_Httpx

            return CASClient_Httpx(provider, service_url, callback_url, *args, **kwargs)
        if library == "requests":
            from .clients.requests import CASClient_Requests

            return CASClient_Requests(provider, service_url, callback_url, *args, **kwargs)
        if library == "aiohttp":
            from .clients.aiohttp import CASClient_AIOHttp

            return CASClient_AIOHttp(provider, service_url, callback_url, *args, **kwargs)
        if library == "urllib":
            from .clients.urllib import CASClient_Urllib

            return CASClient_Urllib(provider, service_url, callback_url, *args, **kwargs)
        known = ", ".join(["default", *SUPPORTED_HTTP_LIBS, "urllib"])
        from .errors import CASUsageError

        raise CASUsageError(f"http_lib is {library!r}; it can be one of: {known}.")


def _installed(is_async: bool) -> str:
    for library in ("httpx", "aiohttp") if is_async else ("httpx", "requests"):
        if library in sys.modules or find_spec(library):
            return library
    return "urllib"


def __getattr__(name: str) -> Any:
    if name == "CASClientBase":
        from .clients.core import CASClientBase

        return CASClientBase
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

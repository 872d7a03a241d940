"""The addresses of a CAS server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from ..errors import CASUsageError
from .answers import ticket_from_url


class Addresses:
    """What a client can say without asking the server."""

    callback_url: str
    renew: bool
    _as_before: bool
    _base: str
    _base_query: str

    def _url(self, path: str, parameters: Mapping[str, Any]) -> str:
        query = "&".join(part for part in (self._base_query, urlencode(parameters)) if part)
        return f"{self._base}{path}?{query}" if query else f"{self._base}{path}"

    def login_form_url(self, gateway: bool = False, renew: bool = False, use_post: bool = False) -> str:
        """Where to send the user to log in.

        Args:
            gateway: do not ask for a password; come back without a ticket if nobody is logged in. Left out where
                ``renew`` is set, as the two contradict each other (specification §2.1.1).
            renew: ask for the password even if the user is logged in. Give ``renew`` to the validation as well, or
                to ``create()``, or a user can leave it out.
            use_post: let the server send the ticket by ``POST``.
        """
        renew = renew or self.renew
        parameters = {"service": self.callback_url}
        if gateway and (self._as_before or not renew):
            parameters["gateway"] = "true"
        if renew:
            parameters["renew"] = "true"
        if use_post:
            parameters["method"] = "POST"
        return self._url("/login", parameters)

    def login_url(self, **kwargs: Any) -> str:
        """``/login`` with these parameters. It should be given ``service``."""
        return self._url("/login", kwargs)

    def logout_url(self, **kwargs: Any) -> str:
        """``/logout`` with these parameters: where to send the user to end the session at the server."""
        return self._url("/logout", kwargs)

    def validate_url(self, **kwargs: Any) -> str:
        """``/validate`` of CAS 1 with these parameters."""
        return self._url("/validate", kwargs)

    def service_validate_url(self, version: int | str = 2, **kwargs: Any) -> str:
        """``/serviceValidate``, or ``/p3/serviceValidate`` for version 3, with these parameters."""
        return self._url(f"{_versioned(version)}/serviceValidate", kwargs)

    def proxy_validate_url(self, version: int | str = 2, **kwargs: Any) -> str:
        """``/proxyValidate``, or ``/p3/proxyValidate`` for version 3, with these parameters."""
        return self._url(f"{_versioned(version)}/proxyValidate", kwargs)

    def proxy_url(self, **kwargs: Any) -> str:
        """``/proxy`` with these parameters."""
        return self._url("/proxy", kwargs)

    def saml_validate_url(self, **kwargs: Any) -> str:
        """``/samlValidate`` with these parameters."""
        return self._url("/samlValidate", kwargs)

    def ticket_from_url(self, url: str) -> str:
        """The ticket in the query of ``url``; an empty string if there is none, or more than one."""
        return ticket_from_url(url)


def _versioned(version: int | str) -> str:
    if str(version) == "3":
        return "/p3"
    if str(version) == "2":
        return ""
    raise CASUsageError(f"version is {version!r}; it can be 2 or 3.")


def split_provider(provider: str) -> tuple[str, str]:
    """The base URL without the slash at its end, and its query."""
    parts = urlsplit(provider)
    if parts.fragment:
        raise CASUsageError("provider has a fragment (#): give the base URL of the CAS server.")
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", "")), parts.query

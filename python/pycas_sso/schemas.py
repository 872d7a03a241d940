"""What the clients return.

Every class can be pickled, copied and turned into a dict. The client it came from is left out of ``repr``, of
comparisons and of pickles, and so is every ticket out of ``repr``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from .clients.core import CASClientBase

__all__ = ["CASLoginData", "CASLogoutData", "CASProxyData", "CASServiceValidateData"]

_D = TypeVar("_D", bound="_Data")


class _Data:
    """The client does not travel: it holds connections."""

    client: Any

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "client"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, client=None)

    def __copy__(self: _D) -> _D:
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin

    def __deepcopy__(self: _D, memo: dict[int, Any]) -> _D:
        from copy import deepcopy

        twin = object.__new__(type(self))
        memo[id(self)] = twin
        for name, value in self.__dict__.items():
            twin.__dict__[name] = value if name == "client" else deepcopy(value, memo)
        return twin


@dataclass
class CASLoginData(_Data):
    """What came of ``login()``."""

    #: ``None`` once pickled.
    client: CASClientBase = field(repr=False, compare=False)

    #: Whether the server gave a ticket.
    success: bool

    #: Status of the server's answer to the user name and password.
    http_status: int

    #: Where the server sent the user, with the ticket; empty if nowhere.
    redirect_url: str = field(default="", repr=False)

    @property
    def ticket(self) -> str:
        """The ticket in ``redirect_url``, or an empty string."""
        if self.client is not None:
            return self.client.ticket_from_url(self.redirect_url)
        from .clients.core import ticket_from_url

        return ticket_from_url(self.redirect_url)


@dataclass
class CASServiceValidateData(_Data):
    """Who the server says a ticket belongs to."""

    #: ``None`` once pickled.
    client: CASClientBase = field(repr=False, compare=False)

    #: Never empty.
    username: str

    #: The PGTIOU, by its name in the answer; see ``pgt_iou``.
    proxy_granting_ticket: str | None = field(default=None, repr=False)

    #: One value as ``str``, several as ``list``, an empty one as ``None``; ``None`` where the server released none.
    attrs: dict[str, Any] | None = None

    #: The proxies the user came through, the most recent first. Only ``proxy_validate()`` lets such users in.
    proxies: list[str] | None = None

    @property
    def attributes(self) -> dict[str, list[str]]:
        """The attributes, each a list of strings whatever the number of values."""
        return {
            name: [value or "" for value in (values if isinstance(values, list) else [values])]
            for name, values in (self.attrs or {}).items()
        }

    @property
    def pgt_iou(self) -> str | None:
        """The name under which the server has sent the proxy-granting ticket to the callback."""
        return self.proxy_granting_ticket


@dataclass
class CASProxyData(_Data):
    """A proxy ticket."""

    #: ``None`` once pickled.
    client: CASClientBase = field(repr=False, compare=False)

    proxy_ticket: str = field(repr=False)


@dataclass
class CASLogoutData:
    """A logout request of the server: the session that began with this ticket has ended.

    It has no ``client``, because reading one needs none.
    """

    #: The ``ID`` of the message, which nobody has vouched for.
    request_id: str

    #: When the message was written: UTC without a zone (see ``issued_at_utc``), or the text if it is not a time.
    issued_at: datetime | str

    #: The service ticket the session began with. It was a secret, so ``repr`` leaves it out.
    session_id: str = field(repr=False)

    @property
    def issued_at_utc(self) -> datetime | None:
        """The time with its zone; ``None`` if the message has none that can be read."""
        if isinstance(self.issued_at, str):
            return None
        return self.issued_at.replace(tzinfo=timezone.utc)

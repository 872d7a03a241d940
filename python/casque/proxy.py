"""Proxy-granting tickets: the address the server sends them to, and where they wait to be fetched.

>>> from casque import PgtReceptor
>>> receptor = PgtReceptor()
>>> answer = receptor.receive("pgtIou=PGTIOU-1-abc&pgtId=PGT-1-xyz")
>>> answer.status
200
>>> receptor.take("PGTIOU-1-abc")
'PGT-1-xyz'
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import parse_qsl

from . import _core
from .errors import InvalidTicket, Misuse

__all__ = ["MemoryPgtStore", "PgtAnswer", "PgtReceptor", "PgtStore"]

# What java-cas-client and phpCAS answer, and servers that look at the body expect.
_ACCEPTED = b'<?xml version="1.0"?>\n<casClient:proxySuccess xmlns:casClient="http://www.yale.edu/tp/casClient"/>\n'


class PgtStore(Protocol):
    """Where a proxy-granting ticket waits between the server's call and the application's question.

    With several processes it is shared: a table, or Redis (``SET iou pgt NX EX lifetime`` and ``GETDEL iou``).
    """

    def create(self, iou: str, pgt: str, lifetime: float) -> bool:
        """Keep ``pgt`` under ``iou`` for ``lifetime`` seconds, unless something is kept there: then return False."""

    def take(self, iou: str) -> str | None:
        """Give away what is kept under ``iou`` and forget it; of two callers at once only one gets it."""


class MemoryPgtStore:
    """A store in the memory of this process. When it is full, what has waited longest goes."""

    def __init__(self, limit: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        if limit < 1:
            raise Misuse("limit: one ticket or more")
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def create(self, iou: str, pgt: str, lifetime: float) -> bool:
        """Keep ``pgt`` under ``iou``."""
        now = self._clock()
        with self._lock:
            found = self._kept.get(iou)
            if found is not None and now < found[0]:
                return False
            self._kept.pop(iou, None)
            while len(self._kept) >= self._limit:
                self._kept.popitem(last=False)
            self._kept[iou] = (now + lifetime, pgt)
            return True

    def take(self, iou: str) -> str | None:
        """Give away what is kept under ``iou``."""
        with self._lock:
            deadline, pgt = self._kept.pop(iou, (0.0, None))
        return pgt if pgt is not None and self._clock() < deadline else None

    def __len__(self) -> int:
        return len(self._kept)

    def __repr__(self) -> str:
        return f"<MemoryPgtStore with {len(self)} ticket(s)>"


@dataclass(frozen=True)
class PgtAnswer:
    """What to answer the CAS server."""

    status: int
    body: bytes = field(default=b"", repr=False)
    content_type: str = "text/plain"


class PgtReceptor:
    """Receives proxy-granting tickets at the address given as ``pgt_url``.

    Hand the query and the form body of every request there to :meth:`receive` and send back what it says. After the
    validation, :meth:`take` gives the ticket for :attr:`casque.Assertion.proxy_granting_ticket_iou`.

    ``lifetime`` is how many seconds a ticket waits; a server calls right before it answers the validation.
    """

    def __init__(self, store: PgtStore | None = None, *, lifetime: float = 60.0) -> None:
        if not lifetime > 0:
            raise Misuse("lifetime: seconds, more than zero")
        self._store = MemoryPgtStore() if store is None else store
        self._lifetime = lifetime

    def receive(self, query: str = "", body: bytes | str = b"") -> PgtAnswer:
        """Decide on a request: GET or POST, with both tickets, or with none, by which a server tests the address."""
        if len(query) + len(body) > 8192:
            return PgtAnswer(413, b"too long")
        try:
            text = body if isinstance(body, str) else body.decode("ascii")
            pairs = [*parse_qsl(query, max_num_fields=50), *parse_qsl(text, max_num_fields=50)]
        except ValueError:
            return PgtAnswer(400, b"not a form")
        ious = [value for name, value in pairs if name == "pgtIou"]
        pgts = [value for name, value in pairs if name in ("pgtId", "pgt")]
        if not ious and not pgts:
            return PgtAnswer(200)
        if len(ious) != 1 or len(pgts) != 1:
            return PgtAnswer(400, b"pgtIou and pgtId are needed once each")
        try:
            _core.check_pgt_iou(ious[0])
            _core.check_pgt(pgts[0])
        except InvalidTicket:
            return PgtAnswer(400, b"pgtIou or pgtId is no ticket")
        # A second ticket for the same IOU is not the server's: the first one stays, and the answer does not tell.
        self._store.create(ious[0], pgts[0], self._lifetime)
        return PgtAnswer(200, _ACCEPTED, "application/xml")

    def take(self, iou: str | None) -> str | None:
        """The proxy-granting ticket for this IOU, once; None if there is none, or no IOU."""
        return None if iou is None else self._store.take(iou)

"""Single logout: the server says which of its tickets belonged to a session that has ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from . import _core
from ._core import LogoutRequest, parse_logout_request
from .errors import MalformedResponse

__all__ = ["LogoutAnswer", "LogoutReceiver", "LogoutRequest", "parse_logout_request"]


@dataclass(frozen=True)
class LogoutAnswer:
    """What to answer, and the ticket whose session ends; None where the request was refused."""

    status: int
    body: bytes = field(default=b"", repr=False)
    content_type: str = "text/plain"
    ticket: str | None = field(default=None, repr=False)


class LogoutReceiver:
    """Receives logout requests at ``path``, the path of the service: that is where servers send them.

    ``end_session`` is called with the ticket that the session was made with. Nothing proves that the request came from
    the server but that it knows the ticket, so a ticket that is not known is answered like one that is.

    With ``front_channel``, requests that come through the browser count too.

    >>> from casque import LogoutReceiver
    >>> sessions = {"ST-1-abc": "ada"}
    >>> receiver = LogoutReceiver("/login", end_session=lambda ticket: sessions.pop(ticket, None))
    >>> receiver.receive("POST", "/login", "application/x-www-form-urlencoded", b"name=ada") is None
    True
    """

    def __init__(
        self, path: str, *, end_session: Callable[[str], object] | None = None, front_channel: bool = False
    ) -> None:
        self._receiver = _core.LogoutReceiver(path, front_channel=front_channel)
        self._end_session = end_session

    #: How many bytes of a body are worth reading; read one more, so that a longer one is seen to be too long.
    MAX_BODY = _core.LogoutReceiver.MAX_BODY

    def may_be_logout(self, method: str, target: str, content_type: str | None = None) -> bool:
        """Whether the body has to be looked into. ``target`` is the path, with ``?`` and the query if there is one."""
        return self._receiver.may_be_logout(method, target, content_type)

    def receive(
        self, method: str, target: str, content_type: str | None = None, body: bytes = b""
    ) -> LogoutAnswer | None:
        """Decide on a request: None where it is the application's own, or else what to answer."""
        try:
            found = self._receiver.decide(method, target, content_type, body)
        except MalformedResponse:
            return LogoutAnswer(400)
        if found is None:
            return None
        ticket, script = found
        if self._end_session is not None:
            self._end_session(ticket)
        if script is not None:
            return LogoutAnswer(200, script.encode(), "application/javascript", ticket)
        return LogoutAnswer(200, ticket=ticket)

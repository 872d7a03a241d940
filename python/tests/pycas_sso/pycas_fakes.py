"""A CAS server that says what a test tells it to say, and every way to ask it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from pycas_sso import CASClient
from pycas_sso.clients.core import CASClientBase

SERVICE = "https://app.example.org/"
CALLBACK = "https://app.example.org/login"

#: Every library and side there is a client for; ``default`` is what ``create()`` chooses.
WAYS = [
    ("default", False),
    ("httpx", False),
    ("requests", False),
    ("urllib", False),
    ("httpx", True),
    ("aiohttp", True),
    ("urllib", True),
]


@dataclass
class Seen:
    """A request that came to the server."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode())

    @property
    def cookies(self) -> str:
        return self.headers.get("cookie", "")


@dataclass
class Said:
    """An answer of the server."""

    body: bytes | str = b""
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)


Answer = Said | Callable[[Seen], Said]


class FakeCas:
    """``answers`` by the path below ``/cas``; ``seen`` in order."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.seen: list[Seen] = []
        #: What is good for which service, for a test that is strict about it.
        self.tickets: dict[str, str] = {}
        self.url = ""

    def says(self, path: str, body: bytes | str, status: int = 200, *headers: tuple[str, str]) -> None:
        self.answers[path] = Said(body, status, list(headers))

    def answer(self, seen: Seen) -> Said:
        self.seen.append(seen)
        answer = self.answers.get(seen.path.removeprefix("/cas"), Said("not found", 404))
        return answer(seen) if callable(answer) else answer


class Way:
    """One library and side."""

    def __init__(self, library: str, is_async: bool) -> None:
        self.library = library
        self.is_async = is_async

    def create(self, provider: str, service: str = SERVICE, callback: str | None = CALLBACK, **options: Any) -> Any:
        if self.is_async:
            options["is_async"] = True
        return CASClient.create(provider, service, callback, http_lib=self.library, **options)

    def run(self, client: CASClientBase, *calls: tuple[Any, ...]) -> list[Any]:
        """Each call a method's name and its arguments; the client is closed afterwards."""
        if not self.is_async:
            with client:
                return [_call(client, call[0], call[1:]) for call in calls]

        async def all_calls() -> list[Any]:
            async with client:
                return [await _call(client, f"a{call[0]}", call[1:]) for call in calls]

        return asyncio.run(all_calls())

    def ask(self, cas: FakeCas, name: str, *arguments: Any, **options: Any) -> Any:
        """One call on a client of its own."""
        return self.ask_at(cas.url, name, *arguments, **options)

    def ask_at(self, provider: str, name: str, *arguments: Any, **options: Any) -> Any:
        """The same, of any server."""
        return self.run(self.create(provider, **options), (name, *arguments))[0]


def _call(client: CASClientBase, name: str, arguments: tuple[Any, ...]) -> Any:
    keywords = {}
    if arguments and isinstance(arguments[-1], dict):
        arguments, keywords = arguments[:-1], arguments[-1]
    return getattr(client, name)(*arguments, **keywords)


def success(inside: str = "<cas:user>ada</cas:user>") -> str:
    """A success of CAS 2 or 3."""
    return document(f"<cas:authenticationSuccess>{inside}</cas:authenticationSuccess>")


def failure(code: str = "INVALID_TICKET", message: str = "Ticket not recognized") -> str:
    """A failure of CAS 2 or 3."""
    return document(f'<cas:authenticationFailure code="{code}">{message}</cas:authenticationFailure>')


def document(inside: str) -> str:
    """A document of CAS."""
    return f'<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas">{inside}</cas:serviceResponse>'


FORM = """<html><body>
<form action="/search"><input type="hidden" name="q" value="x"></form>
<form method="post" action="{action}">
<input type="hidden" name="execution" value="e1&amp;s1"/><input type=hidden name=_eventId value=submit>
<input type="hidden" name="service" value="{service}">
<input name="username"><input type="password" name="password"><button name="go">Go</button>
</form></body></html>"""


def login_pages(cas: FakeCas, passwords: dict[str, str]) -> None:
    """A strict login: a form with a token and a cookie, tickets in the name of the session, sessions by cookie."""
    tokens: dict[str, str] = {}
    numbers = itertools.count()

    def page(seen: Seen) -> Said:
        service = (seen.query or seen.form).get("service", [""])[0]
        back = service + ("&" if "?" in service else "?") + "ticket=ST-1-"
        # Whoever brings the cookie of a session is logged in, whatever name comes with it.
        if "TGC=" in seen.cookies:
            owner = seen.cookies.split("TGC=")[1].split(";")[0]
            return Said("", 302, [("Location", back + owner)])
        if seen.method == "GET":
            token = f"flow{next(numbers)}"
            tokens[token] = "e1&s1"
            form = FORM.format(action="login", service=service)
            return Said(form, 200, [("Set-Cookie", f"flow={token}; Path=/cas; HttpOnly")])
        fields = seen.form
        token = seen.cookies.partition("flow=")[2].partition(";")[0]
        if tokens.pop(token, None) != fields.get("execution", [""])[0]:
            return Said(FORM.format(action="login", service=service), 200)
        name = fields["username"][0]
        if passwords.get(name) != fields["password"][0]:
            return Said("Bad credentials", 401)
        cookie = ("Set-Cookie", f"TGC={name}; Path=/cas; HttpOnly")
        return Said("", 302, [("Location", back + name), cookie])

    cas.answers["/login"] = page

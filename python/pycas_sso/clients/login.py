"""``login()``: the login form, filled in without a browser."""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from ..schemas import CASLoginData
from .answers import ticket_from_url
from .wire import Reply, Send

if TYPE_CHECKING:
    from .core import CASClientBase

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}

# With one of these the caller has fetched the form.
_FORM_TOKENS = ("execution", "lt")


class Login:
    """The steps of one login and its cookies, without the sending."""

    def __init__(
        self,
        client: CASClientBase,
        username: str,
        password: str,
        remember: bool,
        warn: bool,
        extra_data: Mapping[str, Any] | None,
    ) -> None:
        self._client = client
        self._service = client.service_url
        self._cookies: dict[str, str] = {}
        self._page = client.login_url(service=self._service)
        self._action = self._page
        self._hidden: dict[str, str] = {}
        self._fields: dict[str, Any] = {"username": username, "password": password}
        if remember:
            self._fields.update(rememberMe="true", remember="true")
        if warn:
            self._fields["warn"] = "true"
        self._extra = dict(extra_data or {})
        self._has_form = False

    def form(self) -> Send | None:
        """The request for the form, unless the caller has one."""
        if any(name in self._extra for name in _FORM_TOKENS):
            self._cookies.update(self._client._cookies_of_program())
            return None
        return Send("login", "GET", self._page, cookies={})

    def read_form(self, reply: Reply) -> None:
        """Take the hidden fields and the address from the page. Without a form the password is sent to the page."""
        self._take_cookies(reply)
        if reply.status != 200:
            return
        page = _Page()
        page.feed(reply.body.decode("utf-8", "replace"))
        page.close()
        if page.form is None:
            return
        action = urljoin(self._page, page.form.action) if page.form.action else self._page
        # A password goes to the CAS server and nowhere else.
        if _origin(action) == _origin(self._page):
            self._action = action
            self._hidden = page.form.hidden
            self._has_form = True

    def post(self) -> Send:
        """The form, filled in."""
        fields = {**self._hidden, **self._fields, **self._extra}
        action = self._action
        if not self._has_form:
            fields = {"service": self._service, **fields}
        elif "service" not in fields and "service" not in parse_qs(urlsplit(action).query):
            action += ("&" if urlsplit(action).query else "?") + urlencode({"service": self._service})
        body = urlencode(fields, doseq=True).encode("ascii")
        return Send("login", "POST", action, headers=_FORM, body=body, cookies=self._cookies)

    def _take_cookies(self, reply: Reply) -> None:
        self._cookies.update(reply.cookies)
        self._client._login_cookies.update(reply.cookies.items())

    def result(self, reply: Reply) -> CASLoginData:
        """What the server made of it."""
        location = urljoin(self._action, reply.location) if reply.location else ""
        to_service = 300 <= reply.status < 400 and _is_service(location, self._service)
        success = to_service and (bool(ticket_from_url(location)) or self._client._as_before)
        self._take_cookies(reply)
        if success:
            # For logout() to end.
            self._client._session_of_login = self._cookies
        return CASLoginData(self._client, success, reply.status, reply.location)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        return "", None, None
    return parts.scheme, parts.hostname, port or {"http": 80, "https": 443}.get(parts.scheme)


def _is_service(location: str, service: str) -> bool:
    return _origin(location) == _origin(service) and (urlsplit(location).path or "/") == (urlsplit(service).path or "/")


class _Form:
    def __init__(self, action: str) -> None:
        self.action = action.strip()
        self.hidden: dict[str, str] = {}
        self.password = False


class _Page(HTMLParser):
    """The first form with a field for a password."""

    def __init__(self) -> None:
        super().__init__()
        self.form: _Form | None = None
        self._open: _Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and self._open is None:
            self._open = _Form(given.get("action", ""))
        elif tag == "input" and self._open is not None:
            kind, name = given.get("type", "text").lower(), given.get("name", "")
            if kind == "password":
                self._open.password = True
            elif kind == "hidden" and name:
                self._open.hidden.setdefault(name, given.get("value", ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._finish()

    def close(self) -> None:
        super().close()
        self._finish()

    def _finish(self) -> None:
        if self._open is not None and self._open.password and self.form is None:
            self.form = self._open
        self._open = None

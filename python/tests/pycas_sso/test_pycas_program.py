"""A whole program, as PyCAS-SSO's users write them, against the CAS server of ``casque demo``.

The server is the one CASQUE_BIN names, or the one in target/. People log in by filling in its form over HTTP.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, OpenerDirector, ProxyHandler, build_opener

import pytest
from pycas_fakes import Way

from pycas_sso.errors import CASServiceAuthenticationFailure

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


@pytest.fixture(scope="module")
def demo() -> Iterator[dict]:
    """``casque demo``, once it says it is ready."""
    binary = _binary()
    if binary is None:
        _skip("there is no casque binary: set CASQUE_BIN, or build it")
    arguments = [str(binary), "demo", "--json", "--cas-port", "0", "--app-port", "0"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


@pytest.fixture(params=["own", "seed"])
def program(request: pytest.FixtureRequest, tmp_path: Path, demo: dict) -> Iterator[str]:
    """The program under flask's server; its address."""
    for module in ("flask", "decouple"):
        if importlib.util.find_spec(module) is None:
            _skip(f"{module} is not installed")
    if request.param == "own":
        shutil.copy(HERE / "program" / "main.py", tmp_path)
    else:
        (tmp_path / "main.py").write_text(_seed_program())
    environment = {name: value for name, value in os.environ.items() if name not in _SETTINGS}
    with subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "main", "run", "--port", "0"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        try:
            said = []
            for line in process.stderr:
                said.append(line)
                found = re.search(r"Running on (http://127\.0\.0\.1:\d+)", line)
                if found:
                    break
            else:
                raise AssertionError("".join(said))
            port = found[1].rpartition(":")[2]
            # The program reads it when the first request comes. Both URLs, and the slash, are as PyCAS-SSO's
            # documentation has them.
            (tmp_path / ".env").write_text(
                f'CAS_PROVIDER="{demo["cas_url"]}/"\n'
                f'SERVICE_URL="http://localhost:{port}"\n'
                f'LOGIN_URL="http://localhost:{port}/login"\n'
            )
            yield f"http://localhost:{port}"
        finally:
            process.terminate()
        rest = process.stderr.read()
    tickets = [line for line in [*said, *rest.splitlines()] if "ST-" in line and "GET /login?ticket=" not in line]
    assert tickets == []


_SETTINGS = ("CAS_PROVIDER", "SERVICE_URL", "LOGIN_URL", "PYCAS_SSO_VALIDATE_WITH")


def test_people_log_in_and_out(program: str, demo: dict) -> None:
    browser = Browser()
    assert browser.get(program + "/")[0] == 200
    assert browser.get(program + "/protected")[0] == 401

    status, url, page = browser.get(program + "/login")
    assert (status, url.startswith(demo["cas_url"] + "/login?")) == (200, True)
    alice = next(user for user in demo["users"] if user["username"] == "alice")
    status, url, page = browser.submit(url, page, username="alice", password=alice["password"])
    assert (status, url) == (200, program + "/protected")
    assert "alice" in page
    assert browser.get(program + "/login")[1] == program + "/protected"

    status, url, _ = browser.get(program + "/logout")
    assert (status, url) == (200, demo["cas_url"] + "/logout")
    assert browser.get(program + "/protected")[0] == 401
    assert browser.get(program + "/login")[1].startswith(demo["cas_url"] + "/login?")


def test_a_ticket_is_good_once_and_a_wrong_one_never(program: str, demo: dict) -> None:
    browser = Browser()
    _, url, page = browser.get(program + "/login")
    bob = next(user for user in demo["users"] if user["username"] == "bob")
    browser.submit(url, page, username="bob", password=bob["password"])
    callback = next(url for url in browser.visited if "ticket=" in url)
    (ticket,) = parse_qs(urlsplit(callback).query)["ticket"]
    for wrong in (ticket, "ST-1-nobody", "TGT-1-nobody", "x' or 'a'='a"):
        status, _, page = Browser().get(f"{program}/login?" + urlencode({"ticket": wrong}))
        assert status == 401
        assert "The ticket provided was not valid" in page
        assert ticket not in page


def test_logging_in_without_a_browser(way: Way, demo: dict) -> None:
    """Every kind of client against a strict server: the form has a token, the ticket is for ``service_url``."""
    service, callback = "http://localhost:5001/", "http://localhost:5001/login"
    alice = next(user for user in demo["users"] if user["username"] == "alice")
    for version in (2, 3):
        logins = way.run(
            way.create(demo["cas_url"] + "/", service, callback),
            ("login", "alice", alice["password"]),
            ("login", "alice", "wrong"),
        )
        assert [data.success for data in logins] == [True, False]
        named = {"service": service, "version": version}
        data = way.ask_at(demo["cas_url"], "service_validate", logins[0].ticket, named)
        assert data.username == "alice"
    (login, ended) = way.run(
        way.create(demo["cas_url"], service, callback), ("login", "alice", alice["password"], True), ("logout",)
    )
    assert (login.success, ended) == (True, True)
    # The session has ended, and the ticket with it.
    with pytest.raises(CASServiceAuthenticationFailure) as caught:
        way.ask_at(demo["cas_url"], "service_validate", login.ticket, {"service": service})
    assert caught.value.code == "INVALID_TICKET"


class Browser:
    """A person at a browser without scripts."""

    def __init__(self) -> None:
        self.visited: list[str] = []
        visited = self.visited

        class Redirects(HTTPRedirectHandler):
            def redirect_request(self, req, fp, code, msg, headers, newurl):
                visited.append(newurl)
                return super().redirect_request(req, fp, code, msg, headers, newurl)

        self._opener: OpenerDirector = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()), Redirects())

    def get(self, url: str, body: bytes | None = None) -> tuple[int, str, str]:
        """Status, where it ended, and the page."""
        try:
            answer = self._opener.open(url, body, timeout=20)
        except HTTPError as error:
            answer = error
        with answer:
            return answer.status, answer.url, answer.read().decode()

    def submit(self, url: str, page: str, **fields: str) -> tuple[int, str, str]:
        """Fill in the form of a page."""
        form = Form()
        form.feed(page)
        return self.get(urljoin(url, form.action), urlencode({**form.hidden, **fields}).encode())


class Form(HTMLParser):
    """The form of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.hidden: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = given.get("action", "")
        if tag == "input" and given.get("type") == "hidden":
            self.hidden[given["name"]] = given["value"]


def _binary() -> Path | None:
    named = os.environ.get("CASQUE_BIN")
    places = [Path(named)] if named else [ROOT / "target" / kind / "casque" for kind in ("release", "debug")]
    return next((place for place in places if place.is_file()), None)


def _skip(why: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(f"skipped: {why}")


# How each line of the program in the seed begins, with its indentation: the document has lost its line breaks.
_LINES = """
from flask import
from decouple
from pycas_sso.cas
from pycas_sso.errors
app = Flask
app.secret_key
@app.route('/')
def homepage
    return "Welcome
@app.route('/login')
def login
    if not session.get
        # Try
        ticket =
        # Create
        with CASClient.create(
            # If ticket
            if ticket is None:
                # Retrieve
                login_form_url =
                return redirect(login_form_url)
            try:
                # Send
                # and store
                validate_data =
                # Set
                session['authenticated'] =
                session['username'] =
            except CASServiceAuthenticationFailure
                # If validation
                return f"Authentication
    return redirect(url_for
@app.route('/logout')
def logout
    # Clear
    session.clear()
    with CASClient.create(
        # Retrieve
        logout_url =
        return redirect(logout_url)
@app.route('/protected')
def protected
    # Get
    if not session.get
        # Return
        return "Access
    # Retrieve
    username =
    # Display
    return f"Welcome
"""


def _seed_program() -> str:
    """The program of the seed, word for word."""
    shared = Path(os.environ.get("CASQUE_SHARED") or ROOT.parent / "shared") / "seed"
    documents = sorted(shared.glob("*.txt"))
    if not documents:
        _skip("there is no ../shared/seed (CASQUE_SHARED)")
    whole = documents[0].read_text(encoding="utf-8")
    text = re.search(r"```python # file: main\.py (.*?) ```", whole, re.DOTALL)
    assert text is not None
    code, place, lines = text[1], 0, []
    starts = [line for line in _LINES.splitlines() if line]
    places = []
    for start in starts:
        place = code.index(start.strip(), place)
        places.append(place)
        place += len(start.strip())
    assert places[0] == 0
    for start, begin, end in zip(starts, places, [*places[1:], len(code)], strict=True):
        indent = start[: len(start) - len(start.lstrip())]
        lines.append(indent + code[begin:end].strip())
    assert " ".join(line.strip() for line in lines) == code.strip()
    return "\n".join(lines) + "\n"

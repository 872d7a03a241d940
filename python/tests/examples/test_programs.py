"""What the examples that keep people must do and must not, under their real servers."""

import sqlite3
from contextlib import closing
from urllib.parse import quote, urlencode

import httpx
import pytest
from example_programs import Person, run

PEOPLE = ["flask-people", "django", "fastapi"]
ALL = ["flask", *PEOPLE]

LOGOUT = (
    '<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="LR-1" Version="2.0" '
    'IssueInstant="2026-01-01T00:00:00Z"><samlp:SessionIndex>{}</samlp:SessionIndex></samlp:LogoutRequest>'
)


@pytest.fixture(scope="module", params=PEOPLE)
def program(request, casque_demo, tmp_path_factory):
    with run(request.param, casque_demo.cas_url, tmp_path_factory.mktemp("example")) as running:
        yield running


@pytest.fixture
def person():
    with Person() as somebody:
        yield somebody


def test_a_login_comes_back_to_the_page_asked_for(program, casque_demo, person):
    asked_for = program.at("/profile?page=2&q=a%20b%2Bc")
    page = person.log_in(asked_for, casque_demo.users)
    assert (page.status_code, str(page.url)) == (200, asked_for)
    assert "Welcome, alice!" in page.text
    page = person.submit(page)
    assert str(page.url) == casque_demo.cas_url + "/logout"
    assert 'type="password"' in person.get(asked_for).text


TARGETS = [
    "https://evil.example/",
    "//evil.example/profile",
    "/\\evil.example",
    "/%5cevil.example",
    "///evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "/profile\r\nSet-Cookie: a=b",
    "{origin}@evil.example/",
    "{origin}.evil.example/",
    "/login?next=/login",
    "/profile?ticket=ST-1-planted",
]


def test_a_login_never_leaves_the_application(program, casque_demo, person):
    """S-041: whatever a link says. The first login asks for a password, and the others do not."""
    person.log_in(program.at("/profile"), casque_demo.users)
    for target in TARGETS:
        target = target.format(origin=program.url)
        page = person.get(program.at("/login?" + urlencode({"next": target})))
        assert str(page.url) == program.at("/profile"), target
        assert "Welcome, alice!" in page.text
    asked_for = program.at("/profile?page=3")
    for target in (asked_for, "/profile?page=3"):
        assert str(person.get(program.at("/login?" + urlencode({"next": target}))).url) == asked_for
    assert not [url for url in person.visited if "://evil" in url]


def test_a_page_whose_address_is_two_slashes_and_a_name(program, person):
    page = person.get(program.at("//evil.example/profile"))
    assert str(page.url).startswith(program.url)


def test_nobody_is_signed_in_by_a_ticket_that_is_wrong_or_not_theirs(program, casque_demo, person):
    tickets = [casque_demo.ticket("bob", program.at("/login")), "ST-1-nobody", "TGT-1-nobody", "x' or 'a'='a"]
    for ticket in tickets:
        page = person.get(program.at("/login?" + urlencode({"ticket": ticket})))
        assert page.status_code == 400
    person.get(program.at("/profile"))
    for ticket in tickets[1:]:
        page = person.get(program.at("/login?" + urlencode({"ticket": ticket})))
        assert page.status_code in (400, 401)
        assert ticket not in page.text
        person.get(program.at("/profile"))
    assert 'type="password"' in person.get(program.at("/profile")).text


def test_single_logout_ends_the_session_of_its_ticket(program, casque_demo, person):
    """R-083: only that one, and anybody who does not know the ticket ends none."""
    person.log_in(program.at("/profile"), casque_demo.users)
    with Person() as bob, Person() as server:
        bob.log_in(program.at("/profile"), casque_demo.users, "bob")

        def post(message):
            return server.post(program.at("/login"), data={"logoutRequest": message}).status_code

        for message in (LOGOUT.format("ST-1-unknown"), LOGOUT.format(person.ticket + "x")):
            assert post(message) == 200
        assert post("<nothing/>") == 400
        assert server.post(program.at("/login"), data={"name": "ada"}).status_code == 400
        assert server.post(program.at("/login"), data={"logoutRequest": "x" * (1 << 20)}).status_code in (400, 413)
        assert "Welcome, alice!" in person.get(program.at("/profile")).text

        assert post(LOGOUT.format(person.ticket)) == 200
        # At the server the session goes on, so the browser gets a new ticket: look before it does.
        assert person.get(program.at("/profile")).history
        assert not bob.get(program.at("/profile")).history


def test_a_logout_at_the_server_arrives(program, casque_demo, person):
    page = person.log_in(program.at("/profile"), casque_demo.users)
    assert "Welcome, alice!" in page.text
    person.get(casque_demo.cas_url + "/logout")
    # The server sends its messages after it has answered the browser.
    for _ in range(2000):
        page = person.get(program.at("/profile"))
        if page.history:
            break
    assert 'type="password"' in page.text


def test_a_cookie_holds_no_ticket(program, casque_demo, person):
    person.log_in(program.at("/profile"), casque_demo.users)
    cookies = person.cookies("session") + person.cookies("sessionid")
    assert cookies
    assert person.ticket not in " ".join(cookies)
    # Nor does anything that is written down.
    for file in program.folder.rglob("*"):
        if file.is_file():
            assert person.ticket.encode() not in file.read_bytes(), file


@pytest.mark.parametrize("example", ALL)
def test_an_answer_that_is_none_signs_nobody_in(example, fake_cas, tmp_path, person):
    with run(example, fake_cas.url, tmp_path) as program:
        path = "/protected" if example == "flask" else "/profile"
        for fault in ("close", "unavailable", "html", "error", "cut"):
            fake_cas.fault(fault)
            page = person.get(program.at("/login"))
            assert page.status_code == 502, fault
        page = person.get(program.at("/login"))
        assert page.status_code == 200
        assert str(page.url) == program.at(path)
        assert "ada" in page.text


def test_names_are_shown_as_they_are(fake_cas, tmp_path):
    fake_cas.user = '<b onclick="x">Ada</b>'
    for example in ALL:
        with run(example, fake_cas.url, tmp_path) as program, Person() as person:
            page = person.get(program.at("/login"))
            assert "&lt;b onclick=" in page.text, example
            assert "<b onclick" not in page.text


def rows(program, query):
    with closing(sqlite3.connect(program.folder / "people.db")) as database:
        return database.execute(query).fetchall()


@pytest.mark.parametrize(
    ("example", "query"),
    [
        ("flask-people", "SELECT name, mail, logins FROM people"),
        ("django", "SELECT username, email, is_superuser + 2 FROM auth_user"),
    ],
)
def test_people_are_created_at_their_first_login(example, query, casque_demo, tmp_path):
    with run(example, casque_demo.cas_url, tmp_path) as program:
        with Person() as nobody:
            nobody.get(program.at("/"))
        assert rows(program, query) == []
        for _ in range(2):
            with Person() as person:
                person.log_in(program.at("/profile"), casque_demo.users)
        assert rows(program, query) == [("alice", "alice@example.org", 2)]


def test_documents(casque_demo, tmp_path, person):
    """A page that takes any path, in the Flask example."""
    with run("flask-people", casque_demo.cas_url, tmp_path) as program:
        page = person.log_in(program.at("/documents/a/b%20c?page=7"), casque_demo.users)
        assert "The document a/b c for alice, page 7" in page.text
        page = person.get(program.at("/documents/" + quote("<i>")))
        assert "&lt;i&gt;" in page.text
        with Person() as nobody:
            assert nobody.post(program.at("/profile")).status_code == 405


def test_a_script_is_refused(casque_demo, tmp_path, person):
    """In the FastAPI example."""
    with run("fastapi", casque_demo.cas_url, tmp_path) as program:
        refused = person.post(program.at("/logout"), headers={"Accept": "application/json"})
        assert str(refused.url).startswith(casque_demo.cas_url)
        with httpx.Client(trust_env=False) as script:
            answer = script.get(program.at("/api/me"))
            assert (answer.status_code, answer.json()) == (401, {"detail": "Log in first."})
        person.log_in(program.at("/profile"), casque_demo.users)
        assert person.get(program.at("/api/me")).json()["user"] == "alice"

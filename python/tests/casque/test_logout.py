"""Single logout."""

import base64
import zlib
from urllib.parse import quote

import pytest

import casque
from casque import LogoutReceiver

TICKET = "ST-1-abcdefgh"
FORM = "application/x-www-form-urlencoded"


def document(*tickets: str, head: str = "") -> str:
    indexes = "".join(f"<samlp:SessionIndex>{ticket}</samlp:SessionIndex>" for ticket in tickets)
    return (
        f'{head}<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="LR-1" Version="2.0" '
        f'IssueInstant="2026-03-04T05:06:07.123Z">{indexes}</samlp:LogoutRequest>'
    )


def form(xml: str) -> bytes:
    return f"logoutRequest={quote(xml, safe='')}".encode()


@pytest.mark.parametrize(
    "body",
    [
        document(TICKET),
        document(TICKET).encode(),
        document(TICKET, head='<?xml version="1.0" encoding="UTF-8"?>'),
        form(document(TICKET)),
        base64.b64encode(zlib.compress(document(TICKET).encode())),
    ],
)
def test_every_form_of_the_message(body):
    request = casque.parse_logout_request(body)
    assert request.session_indexes == [request.session_index] == [TICKET]
    assert (request.id, request.issue_instant) == ("LR-1", "2026-03-04T05:06:07.123Z")
    assert TICKET not in repr(request)


def test_two_tickets_are_read_and_not_obeyed():
    request = casque.parse_logout_request(document(TICKET, "ST-2"))
    assert request.session_indexes == [TICKET, "ST-2"]
    with pytest.raises(casque.MalformedResponse):
        _ = request.session_index


@pytest.mark.parametrize(
    ("body", "error_class"),
    [
        (document(), "no_session_index"),
        (document("../etc"), "invalid_session_index"),
        ("<a/>", "not_logout_request"),
        ("<!DOCTYPE a><a/>", "forbidden_xml"),
        (b"logoutRequest=", "not_logout_request"),
        (form(document(TICKET)) + b"&" + form(document(TICKET)), "ambiguous"),
        (b"", None),
        (b"\xff\xff", None),
    ],
)
def test_anything_else_is_refused(body, error_class):
    with pytest.raises(casque.MalformedResponse) as raised:
        casque.parse_logout_request(body)
    assert error_class in (None, raised.value.error_class)
    assert TICKET not in str(raised.value)


def receiver(**options):
    sessions = {TICKET: "ada"}
    return sessions, LogoutReceiver("/login", end_session=lambda ticket: sessions.pop(ticket, None), **options)


def test_the_session_ends():
    sessions, logout = receiver()
    answer = logout.receive("POST", "/login", FORM, form(document(TICKET)))
    assert (answer.status, answer.body, answer.ticket) == (200, b"", TICKET)
    assert sessions == {}
    assert TICKET not in repr(answer)
    # Known or not, the answer is the same (S-048).
    assert logout.receive("POST", "/login", FORM, form(document(TICKET))) == answer


@pytest.mark.parametrize(
    ("method", "target", "content_type", "body"),
    [
        ("GET", "/login", None, b""),
        ("POST", "/login", FORM, b"name=ada"),
        ("POST", "/other", FORM, form(document(TICKET))),
        ("POST", "/login", "text/plain", form(document(TICKET))),
        ("POST", "/login", "a\nb", form(document(TICKET))),
        ("P T", "/login", FORM, form(document(TICKET))),
        ("GET", "/login?" + form(document(TICKET)).decode(), None, b""),
    ],
)
def test_the_requests_of_the_application_are_its_own(method, target, content_type, body):
    sessions, logout = receiver()
    assert logout.receive(method, target, content_type, body) is None
    assert sessions == {TICKET: "ada"}


@pytest.mark.parametrize("body", [form(document(TICKET, "ST-2")), form("<a/>"), form(document(TICKET)) * 100])
def test_a_broken_request_ends_nothing(body):
    sessions, logout = receiver()
    answer = logout.receive("POST", "/login", FORM, body)
    assert (answer.status, answer.ticket) == (400, None)
    assert sessions == {TICKET: "ada"}


def test_the_front_channel():
    packed = base64.b64encode(zlib.compress(document(TICKET).encode())).decode()
    target = f"/login?logoutRequest={quote(packed, safe='')}&callback=jQuery1"
    sessions, logout = receiver(front_channel=True)
    assert logout.may_be_logout("GET", target)
    answer = logout.receive("GET", target)
    assert answer.content_type == "application/javascript"
    assert answer.body.startswith(b"jQuery1(") or b"jQuery1(" in answer.body
    assert sessions == {}

"""The rows for reading, by id, through Python."""

import contextlib
import importlib.util
import sys
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

import casque
from casque import _core

_spec = importlib.util.spec_from_file_location("casque_corpus_rows", Path(__file__).with_name("rows.py"))
rows = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = rows
_spec.loader.exec_module(rows)

KNOWN_CODES = {
    "INVALID_REQUEST",
    "INVALID_TICKET_SPEC",
    "UNAUTHORIZED_SERVICE",
    "UNAUTHORIZED_SERVICE_PROXY",
    "INVALID_PROXY_CALLBACK",
    "INVALID_TICKET",
    "INVALID_SERVICE",
    "INTERNAL_ERROR",
    "BAD_PGT",
}


def outcome(read, *arguments, **options):
    """What became of a message, in the words of the corpora."""
    try:
        found = read(*arguments, **options)
    except (casque.AuthenticationFailure, casque.ProxyFailure) as refusal:
        kind = "UNKNOWN" if refusal.code is None else refusal.code if refusal.code in KNOWN_CODES else "OTHER"
        return {
            "result": "failure",
            "outcome": "failure",
            "authenticated": False,
            "code": refusal.code,
            "code_class": kind,
            "description": refusal.server_message,
        }
    except casque.CASError as error:
        assert str(error).isprintable()
        return {"result": "error", "outcome": "error", "authenticated": False, "class": error.error_class}
    if isinstance(found, str):
        return {"result": "success", "proxy_ticket": found}
    date = found.authentication_date
    return {
        "result": "success",
        "authenticated": True,
        "user": found.user,
        "attributes": found.attributes.to_dict(),
        "auth_method": found.attributes.first("samlAuthenticationStatementAuthMethod"),
        "pgt_iou": found.proxy_granting_ticket_iou,
        "pgtiou": found.proxy_granting_ticket_iou,
        "proxies": found.proxies,
        "authentication_date": date and written(date),
        "is_from_new_login": found.is_from_new_login,
        "long_term": found.long_term,
    }


def written(moment):
    """A date as the vectors write it."""
    text = moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"


def agrees(actual, expected, *, whole_attributes=True):
    for name, value in expected.items():
        if name == "class_any_of":
            assert actual.get("class") in value
        elif name == "attributes" and not whole_attributes:
            assert {key: actual["attributes"].get(key) for key in value} == value
        else:
            assert actual.get(name) == value, name


def chains(row):
    return row.input.get("allowed_proxy_chains")


def vector(row, read, **options):
    agrees(outcome(read, row.body, status=row.status, **options), row.expected)
    # The same message as text, where it is one.
    if row.tolerance:
        tolerant = outcome(read, row.body, status=row.status, tolerate=[row.tolerance["name"]], **options)
        agrees(tolerant, row.tolerance["expect"])


@rows.each(rows.vectors("service_response"))
def test_service_response(row):
    options = {"endpoint": "/" + row.input.get("endpoint", "p3/serviceValidate"), "allowed_chains": chains(row)}
    vector(row, _core.parse_service_response, **options)


@rows.each(rows.vectors("proxy_response"))
def test_proxy_response(row):
    vector(row, _core.parse_proxy_response)


@rows.each(rows.vectors("cas1_response"))
def test_cas1_response(row):
    vector(row, _core.parse_cas1_response)


@rows.each(rows.vectors("saml_response"))
def test_saml_response(row):
    now = datetime.fromisoformat(row.input["now"].replace("Z", "+00:00")).timestamp()
    options = {"target": row.input["service"], "now": now}
    if row.input.get("tolerance_s") is not None:
        options["tolerance"] = float(row.input["tolerance_s"])
    if row.input.get("strict_in_response_to"):
        options["in_response_to"] = row.input["strict_in_response_to"]
    # Python has the method among the attributes only, where an attribute of that very name comes before it.
    method = row.expected.get("attributes", {}).get("samlAuthenticationStatementAuthMethod")
    if method and method != [row.expected.get("auth_method")]:
        del row.expected["auth_method"]
    vector(row, _core.parse_saml_response, **options)


@rows.each(rows.vectors("logout_request"))
def test_logout_request(row):
    front = row.input.get("front_channel", False)
    receiver = _core.LogoutReceiver("/callback", front_channel=front)
    if not receiver.may_be_logout(row.input["method"], "/callback", row.input.get("content_type")):
        agrees({"result": "error", "class": "not_logout_request"}, row.expected)
        return
    try:
        request = _core.parse_logout_request(row.body)
    except casque.MalformedResponse as error:
        expected = dict(row.expected)
        actual = {"result": "error", "class": error.error_class}
        # A body without the parameter is no form to this function, which takes documents too.
        if expected.get("class") == "not_logout_request" and b"logoutRequest=" not in row.body:
            expected["class"] = error.error_class
        agrees(actual, expected)
    else:
        expected = {name: value for name, value in row.expected.items() if name != "jsonp_callback"}
        agrees({"result": "logout", "session_indexes": request.session_indexes}, expected)


@rows.each(rows.cases("ticket_syntax"))
def test_ticket_syntax(row):
    check = {"st": _core.check_ticket, "pgt": _core.check_pgt, "pgtiou": _core.check_pgt_iou}[row.input["kind"]]
    assert accepted(check, row.input["value"]) == row.input["accepted"]


def accepted(check, text):
    try:
        check(text)
    except casque.InvalidTicket as error:
        assert len(text) < 5 or text not in str(error)
        return False
    return True


@rows.each(rows.cases("service_strip"))
def test_service_strip(row):
    assert casque.strip_ticket(row.input["request_url"], saml=row.input["mode"] == "saml") == row.input["service"]


@rows.each(rows.cases("login_url"))
def test_login_url(row):
    case = row.input
    server = _core.Server("https://cas.example.org/cas", login_page=case["login_url"])
    renew, gateway = case.get("renew", False), case.get("gateway", False)
    if renew and gateway:
        # Where the core leaves gateway out, Python says that the two contradict each other.
        with pytest.raises(casque.Misuse):
            server.login_url(case["service"], renew=True, gateway=True)
        gateway = False
    url = server.login_url(case["service"], renew=renew, gateway=gateway, method=case.get("method"))
    assert url == case["url"]


@rows.each(rows.cases("validate_url"))
def test_validate_url(row):
    case = row.input
    options = {name: case[name] for name in ("renew", "format", "pgt_url") if case.get(name)}
    server = _core.Server(case["base"])
    try:
        url = server.validate_url(case["endpoint"], case["service"], case["ticket"], **options)
    except casque.InvalidTicket:
        url = None
    assert url == case["url"]


@rows.each(rows.cases("authentication_date"))
def test_authentication_date(row):
    found = _core.parse_authentication_date(row.input["value"])
    # Python counts microseconds; what is finer is cut off on both sides.
    expected = row.input["utc"] and row.input["utc"].rstrip("Z")
    whole, dot, fraction = expected.partition(".") if expected else ("", "", "")
    assert (found and written(found)) == (expected and f"{whole}{dot}{fraction[:6]}".rstrip(".") + "Z")


def hostile(row, read, **options):
    # The rows say nothing about allowed chains: one that names proxies allows exactly those.
    allowed = list(chains(row) or [])
    if row.expected.get("proxies"):
        allowed.append(row.expected["proxies"])
    if read is _core.parse_service_response:
        options.update(endpoint="/p3/proxyValidate", allowed_chains=allowed)
    agrees(outcome(read, row.document, status=row.status, **options), row.expected, whole_attributes=False)
    # As text it is the same message.
    try:
        text = row.document.decode()
    except UnicodeDecodeError:
        return
    agrees(outcome(read, text, status=row.status, **options), row.expected, whole_attributes=False)


@rows.each(rows.hostile("xml_service_response"))
def test_hostile_xml(row):
    hostile(row, _core.parse_service_response)


@rows.each(rows.hostile("json_service_response"))
def test_hostile_json(row):
    hostile(row, _core.parse_service_response)


@rows.each(rows.hostile("cas1_response"))
def test_hostile_cas1(row):
    hostile(row, _core.parse_cas1_response)


@rows.each(rows.hostile("ticket_client"))
def test_hostile_ticket(row):
    assert accepted(_core.check_ticket, row.input["ticket"]) == row.expected["send"]


@rows.each(rows.hostile("ticket_query"))
def test_hostile_query(row):
    try:
        ticket = casque.ticket_in_request(row.input.get("query", ""), row.input.get("body"))
    except casque.InvalidTicket:
        assert row.expected["action"] == "reject_400"
    else:
        assert ("validate" if ticket else "none") == row.expected["action"]
        assert ticket == row.expected.get("ticket")


@rows.each(rows.hostile("slo_request"))
def test_hostile_logout(row):
    sessions, ended = dict(row.fixtures["slo_sessions"]), []

    def end(ticket):
        if ticket in sessions:
            ended.append(sessions.pop(ticket))

    receiver = casque.LogoutReceiver(row.fixtures["own_callback_path"], end_session=end)
    if "body" in row.input:
        parameters = row.input["body"]
    else:
        parameter = f"{row.input['param']}={quote(row.body, safe='')}"
        parameters = "&".join([parameter] * row.input.get("copies", 1))
    target, body = row.input["path"], parameters
    if row.input["method"] == "GET":
        target, body = f"{target}?{parameters}", ""
    answer = receiver.receive(row.input["method"], target, row.input.get("content_type"), body.encode())
    assert {"http": answer.status if answer else "pass", "terminated": ended} == row.expected


@rows.each(rows.hostile("redirect_target"))
def test_hostile_return_target(row):
    callback = row.fixtures["own_callback_path"]
    url = casque.return_url(row.input["return_to"], row.fixtures["own_origin"], callback_paths=[callback])
    assert url == row.expected["location"]


@rows.each(rows.hostile("validate_request_build"))
def test_hostile_request(row):
    pairs = [("service", row.input["service"]), ("ticket", row.input["ticket"])]
    pairs += [tuple(pair) for pair in row.input.get("extra") or []]
    server = _core.Server(row.input["base"])
    url = urlsplit(server.endpoint_url(row.input["endpoint"], pairs))
    assert f"{url.scheme}://{url.netloc}" == row.expected["scheme_host"]
    assert url.path == row.expected["path"]
    assert (url.fragment or None) == row.expected["fragment"]
    assert [list(pair) for pair in parse_qsl(url.query, keep_blank_values=True)] == row.expected["query_pairs"]


@rows.each(rows.hostile("log_line"))
def test_hostile_log_line(row):
    line = casque.redact(row.input["field_value"])
    assert len(line.splitlines()) <= 1
    assert len(line.encode()) <= 4096
    for wanted in row.expected["must_contain"]:
        assert wanted in line
    for unwanted in row.expected["must_not_contain"]:
        assert unwanted not in line


READERS = {
    "service": _core.parse_service_response,
    "proxy": _core.parse_proxy_response,
    "cas1": _core.parse_cas1_response,
    "saml": lambda body: _core.parse_saml_response(body, target="https://app.example.org/", now=1_750_000_000.0),
    "logout": _core.parse_logout_request,
}


def documents():
    """Every body of the corpora, whatever reader it was written for."""
    read = ["service_response", "proxy_response", "cas1_response", "saml_response", "logout_request"]
    attacks = ["xml_service_response", "json_service_response", "cas1_response"]
    found = [
        *(row for kind in read for row in rows.vectors(kind)),
        *(row for kind in attacks for row in rows.hostile(kind)),
    ]
    return [row.document for row in found]


@pytest.mark.parametrize("reader", READERS)
def test_sc_037_readers_raise_nothing_but_our_errors(reader):
    """SC-037, S-094: any document, whole, cut in the middle, and as text of any kind."""
    bodies = documents()
    assert bodies
    for body in bodies:
        for given in (body, body[: len(body) // 2], body.decode("latin-1"), body + b"\0"):
            with contextlib.suppress(casque.CASError):
                READERS[reader](given)

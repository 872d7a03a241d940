"""What the core gives to Python."""

import collections.abc
import copy
import json
import pickle
import subprocess
import sys
import threading
from datetime import datetime, timezone

import pytest

import casque
from casque import Assertion, Attributes, _core


def success(inner: str, attributes: str = "") -> str:
    block = f"<cas:attributes>{attributes}</cas:attributes>" if attributes else ""
    return (
        '<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas"><cas:authenticationSuccess>'
        f"{inner}{block}</cas:authenticationSuccess></cas:serviceResponse>"
    )


MAIL = "<cas:mail>ada@example.org</cas:mail>"
PLAIN = success("<cas:user>ada</cas:user>", MAIL + "<cas:memberOf>b</cas:memberOf><cas:memberOf>a</cas:memberOf>")


@pytest.mark.parametrize("body", [PLAIN, PLAIN.encode(), bytearray(PLAIN.encode())])
def test_bytes_and_text(body):
    assert _core.parse_service_response(body).user == "ada"


@pytest.mark.parametrize("body", [None, 5, ["<a/>"], memoryview(b"yes")])
def test_other_types_are_no_message(body):
    with pytest.raises(TypeError, match="bytes or str"):
        _core.parse_service_response(body)


def test_attributes_are_lists():
    attributes = _core.parse_service_response(PLAIN).attributes
    assert attributes["mail"] == ["ada@example.org"]
    assert attributes["memberOf"] == ["b", "a"]
    assert attributes.first("memberOf") == "b"
    assert attributes.first("phone") is None
    assert attributes.first("phone", "none") == "none"
    assert attributes.get("phone") is None
    assert attributes.get("phone", []) == []
    with pytest.raises(KeyError, match="phone"):
        attributes["phone"]
    assert list(attributes) == ["mail", "memberOf"]
    assert len(attributes) == 2
    assert "mail" in attributes
    assert 5 not in attributes
    assert attributes.get(5) is None
    assert dict(attributes) == {**attributes} == attributes.to_dict() == attributes
    assert attributes.to_dict() == attributes
    assert attributes != {"mail": ["ada@example.org"]}
    assert attributes != 5
    assert list(attributes.keys()) == ["mail", "memberOf"]
    assert list(attributes.values()) == [["ada@example.org"], ["b", "a"]]
    assert dict(attributes.items()) == attributes
    assert isinstance(attributes, collections.abc.Mapping)
    match attributes:
        case {"mail": [mail]}:
            assert mail == "ada@example.org"
        case _:
            pytest.fail("a mapping matches a mapping's pattern")


def test_nothing_can_be_changed():
    person = _core.parse_service_response(PLAIN)
    person.attributes["memberOf"].append("c")
    person.attributes.to_dict()["mail"] = []
    assert person.attributes == _core.parse_service_response(PLAIN).attributes
    with pytest.raises(TypeError):
        person.attributes["mail"] = []
    with pytest.raises(AttributeError):
        person.user = "bob"
    with pytest.raises(TypeError):
        hash(person)


def test_what_stands_at_an_assertion():
    inner = "<cas:user>ada</cas:user><cas:proxyGrantingTicket>PGTIOU-1-secret</cas:proxyGrantingTicket>"
    dates = "<cas:authenticationDate>2024-05-01T14:00:05+02:00</cas:authenticationDate>"
    flags = (
        "<cas:longTermAuthenticationRequestTokenUsed>false</cas:longTermAuthenticationRequestTokenUsed>"
        "<cas:isFromNewLogin>true</cas:isFromNewLogin>"
    )
    person = _core.parse_service_response(success(inner, dates + flags + MAIL))
    assert person.authentication_date == datetime(2024, 5, 1, 12, 0, 5, tzinfo=timezone.utc)
    assert (person.is_from_new_login, person.long_term) == (True, False)
    assert person.proxy_granting_ticket_iou == "PGTIOU-1-secret"
    # No secret and nothing personal but the name (S-017).
    for text in (repr(person), str(person), repr(person.attributes), json.dumps(person.to_dict())):
        assert "secret" not in text
    assert "example.org" not in repr(person) + repr(person.attributes)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(person, protocol))
        assert again == person
        assert again.proxy_granting_ticket_iou == person.proxy_granting_ticket_iou
        assert again.authentication_date == person.authentication_date
    assert copy.deepcopy(person) == person
    assert pickle.loads(pickle.dumps(person.attributes)) == person.attributes


def test_assertions_for_tests():
    person = Assertion("ada", {"mail": "ada@example.org", "memberOf": ["a", "b"]}, is_from_new_login=True)
    assert person.attributes == {"mail": ["ada@example.org"], "memberOf": ["a", "b"]}
    assert person.is_from_new_login is True
    assert person != Assertion("ada")
    assert Assertion("ada") == Assertion("ada")
    assert Assertion("ada") != "ada"
    assert repr(Assertion("a\nb")) == "<Assertion user='a\\nb' attributes=[]>"
    assert Attributes({"a": ["1", "2"]}).first("a") == "1"
    with pytest.raises(TypeError):
        Attributes([("a", "1")])


@pytest.mark.parametrize(
    ("body", "error", "error_class"),
    [
        ('<!DOCTYPE a [<!ENTITY e "admin">]><a>&e;</a>', casque.ForbiddenXML, "forbidden_xml"),
        (success(""), casque.MalformedResponse, "missing_user"),
        (success("<cas:user/>"), casque.MalformedResponse, "missing_user"),
        (success("<cas:user>ali<!-- c -->ce</cas:user>"), casque.MalformedResponse, None),
        ("", casque.MalformedResponse, "empty"),
        ("<p>hello</p>", casque.MalformedResponse, "not_cas"),
        ("\ud800", casque.MalformedResponse, "invalid_encoding"),
        (b"\xff\xfe", casque.MalformedResponse, None),
        (" " * 300_000, casque.MalformedResponse, "too_large"),
    ],
)
def test_what_cannot_be_read_is_a_value_error(body, error, error_class):
    # PyCAS-SSO's traps 14 to 19 and 26.
    with pytest.raises(error) as raised:
        _core.parse_service_response(body, status=200)
    assert isinstance(raised.value, ValueError)
    assert isinstance(raised.value, casque.CASError)
    assert raised.value.status == 200
    assert error_class in (None, raised.value.error_class)
    assert pickle.loads(pickle.dumps(raised.value)).error_class == raised.value.error_class


def test_every_error_is_a_cas_error():
    for name in casque.errors.__all__:
        assert issubclass(getattr(casque, name), casque.CASError)
        error = getattr(casque, name)("words", code="C", server_message="M", status=500, error_class="e")
        again = copy.copy(error)
        assert (str(again), again.code, again.server_message, again.status) == ("words", "C", "M", 500)


def test_any_chain_is_for_the_caller_to_judge():
    body = success("<cas:user>ada</cas:user><cas:proxies><cas:proxy>https://p.example.org/</cas:proxy></cas:proxies>")
    options = {"endpoint": "/proxyValidate"}
    assert _core.parse_service_response(body, allowed_chains="any", **options).proxies == ["https://p.example.org/"]
    chains = [["https://p.example.org/"]]
    assert _core.parse_service_response(body, allowed_chains=chains, **options).proxies == chains[0]
    for refused in (None, [], [["https://q.example.org/"]]):
        with pytest.raises(casque.UntrustedResponse):
            _core.parse_service_response(body, allowed_chains=refused, **options)
    # An endpoint that takes no proxy tickets may not answer with proxies.
    with pytest.raises(casque.UntrustedResponse):
        _core.parse_service_response(body, allowed_chains="any", endpoint="/serviceValidate")
    with pytest.raises(casque.Misuse):
        _core.parse_service_response(body, allowed_chains="all")
    with pytest.raises(casque.Misuse):
        _core.parse_service_response(body, endpoint="/nowhere")


def test_tickets_in_requests():
    assert casque.ticket_from_url("https://a.example.org/?x=1&ticket=ST-1-abc#top") == "ST-1-abc"
    assert casque.ticket_from_url("https://a.example.org/#?ticket=ST-1-abc") is None
    assert casque.ticket_from_url("https://a.example.org/?ticket=12") is None
    with pytest.raises(casque.InvalidTicket):
        casque.ticket_from_url("https://a.example.org/?ticket=ST-1-a&ticket=ST-1-b")
    # A ticket in a form is believed only where method=POST was asked for.
    assert casque.ticket_in_request("", "ticket=ST-1-abc") is None
    assert casque.ticket_in_request("", "ticket=ST-1-abc", post=True) == "ST-1-abc"
    assert casque.ticket_in_request("SAMLart=ST-1-abc&TARGET=x", saml=True) == "ST-1-abc"
    _core.check_ticket("0123-opaque", any_ticket=True)
    for text in ("0123-opaque", "ST-1&a=b"):
        with pytest.raises(casque.InvalidTicket):
            _core.check_ticket(text)


def test_the_functions_for_urls():
    base, service = "https://cas.example.org/cas", "https://app.example.org/?a=1&b=2"
    quoted = "https%3A%2F%2Fapp.example.org%2F%3Fa%3D1%26b%3D2"
    assert _core.login_url(base, service, renew=True) == f"{base}/login?service={quoted}&renew=true"
    assert _core.logout_url(base, service) == f"{base}/logout?service={quoted}"
    assert _core.validate_url(base, "validate", service, "ST-1") == f"{base}/validate?service={quoted}&ticket=ST-1"
    assert _core.proxy_url(base, "PGT-1-a", service) == f"{base}/proxy?pgt=PGT-1-a&targetService={quoted}"
    with pytest.raises(casque.Misuse):
        _core.login_url("http://cas.example.org", service)
    assert _core.login_url("http://cas.example.org", service, allow_plain_http=True).startswith("http://cas.")


def test_saml_requests():
    xml, request_id = _core.build_saml_request("ST-1-abc", now=0.25, random=bytes(range(16)))
    assert request_id == "_000102030405060708090a0b0c0d0e0f"
    assert f'RequestID="{request_id}"' in xml
    assert 'IssueInstant="1970-01-01T00:00:00.250Z"' in xml
    assert "<samlp:AssertionArtifact>ST-1-abc<" in xml
    with pytest.raises(casque.InvalidTicket):
        # PyCAS-SSO's trap 27: written into the document as it is.
        _core.build_saml_request("ST-1&<x>", now=0.0, random=bytes(16))
    with pytest.raises(casque.Misuse):
        _core.build_saml_request("ST-1", now=0.0, random=b"short")
    for now in (-1.0, float("nan"), float("inf"), 1e300):
        with pytest.raises(casque.Misuse):
            _core.build_saml_request("ST-1", now=now, random=bytes(16))


def test_threads_read_at_the_same_time():
    results = []

    def read():
        results.extend(_core.parse_service_response(PLAIN).user for _ in range(200))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["ada"] * 1600


def test_importing_imports_little():
    # Neither the clients nor any HTTP nor TLS: whoever reads messages only needs none of it.
    program = (
        "import sys, casque; "
        "print(*sorted({'ssl', 'http.client', 'httpx', 'requests', 'aiohttp', 'asyncio', 'email'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_every_name_is_there():
    assert {name for name in casque.__all__ if not hasattr(casque, name)} == set()
    assert set(casque.__all__) <= set(dir(casque))
    with pytest.raises(AttributeError):
        casque.nothing  # noqa: B018

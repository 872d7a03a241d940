"""The clients, against a server on loopback, by every HTTP library."""

import copy
import json
import pickle
from urllib.parse import parse_qs, urlsplit

import pytest

import casque
from casque import AsyncClient, Client

SERVICE = "https://app.example.org/login?next=%2Fa%20b&x=%C3%BC+y"
ATTRIBUTES = {"mail": ["ada@example.org"], "memberOf": ["staff", "admins"]}


async def test_a_ticket_is_validated_for_the_service_of_the_login(both, cas_server):
    async with both(cas_server.url, SERVICE) as cas:
        asked = parse_qs(urlsplit(cas.client.login_url()).query)["service"]
        person = await cas.validate(cas_server.ticket("ada", SERVICE, ATTRIBUTES))
    assert asked == [SERVICE]
    assert person.user == "ada"
    assert person.attributes == ATTRIBUTES
    # Byte for byte, whatever the library does to URLs.
    assert cas_server.requests[-1].query.startswith(
        "service=https%3A%2F%2Fapp.example.org%2Flogin%3Fnext%3D%252Fa%2520b%26x%3D%25C3%25BC%2By&ticket=ST-1-"
    )


@pytest.mark.parametrize(
    ("protocol", "path", "attributes"),
    [
        ("cas1", "/cas/validate", {}),
        ("cas2", "/cas/serviceValidate", {}),
        ("cas3", "/cas/p3/serviceValidate", ATTRIBUTES),
        (
            "saml",
            "/cas/samlValidate",
            {**ATTRIBUTES, "samlAuthenticationStatementAuthMethod": ["urn:oasis:names:tc:SAML:1.0:am:password"]},
        ),
    ],
)
async def test_every_protocol(both, cas_server, protocol, path, attributes):
    async with both(cas_server.url, SERVICE, protocol=protocol) as cas:
        person = await cas.validate(cas_server.ticket("ada", SERVICE, ATTRIBUTES))
        assert (person.user, person.attributes) == ("ada", attributes)
        with pytest.raises(casque.AuthenticationFailure) as refusal:
            await cas.validate("ST-1-unknown")
    assert cas_server.requests[-1].path == path
    assert "ST-1-unknown" not in f"{refusal.value}{refusal.value!r}"


async def test_json(both, cas_server):
    async with both(cas_server.url, SERVICE, format="JSON") as cas:
        person = await cas.validate(cas_server.ticket("ada", SERVICE, ATTRIBUTES))
    assert person.attributes == ATTRIBUTES
    assert cas_server.requests[-1].parameter("format") == "JSON"
    assert cas_server.requests[-1].headers["Accept"].startswith("application/json")


async def test_a_refusal_says_why(both, cas_server):
    async with both(cas_server.url, SERVICE) as cas:
        ticket = cas_server.ticket("ada", "https://other.example.org/")
        with pytest.raises(casque.AuthenticationFailure) as refusal:
            await cas.validate(ticket)
    error = refusal.value
    assert (error.code, error.status) == ("INVALID_SERVICE", 200)
    assert error.server_message == f"Ticket '{ticket}' does not match the service"
    # The words of the server may be shown; the ticket in them may not (S-017).
    assert ticket not in f"{error}{error!r}"
    assert "does not match" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.code, str(again)) == (type(error), error.code, str(error))


async def test_another_service_for_one_call(both, cas_server):
    other = "https://app.example.org/other"
    async with both(cas_server.url, SERVICE) as cas:
        assert (await cas.validate(cas_server.ticket("ada", other), other)).user == "ada"


async def test_a_text_that_is_no_ticket_is_not_sent(both, cas_server):
    # R-219, S-001, CVE-2014-4172
    async with both(cas_server.url, SERVICE) as cas:
        for text in ("", "ST-", "ST-1&service=https://evil.example.org", "ST-1\n", "TGT-1-x", "ST-" + "x" * 1100):
            with pytest.raises(casque.InvalidTicket) as refusal:
                await cas.validate(text)
            assert refusal.value.error_class == "invalid_ticket"
            assert not text or text not in str(refusal.value)
    assert cas_server.requests == []


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("error", casque.UnexpectedStatus),
        ("unavailable", casque.UnexpectedStatus),
        ("redirect", casque.UnexpectedStatus),
        ("html", casque.MalformedResponse),
        ("garbage", casque.MalformedResponse),
        ("gzip", casque.MalformedResponse),
        ("huge", casque.TransportError),
        ("cut", casque.TransportError),
        ("close", casque.TransportError),
    ],
)
@pytest.mark.parametrize("protocol", ["cas1", "cas3", "saml"])
async def test_faults_sign_nobody_in(both, cas_server, fault, error, protocol):
    async with both(cas_server.url, SERVICE, protocol=protocol) as cas:
        # A connection that has been used is one that libraries like to try again on.
        await cas.validate(cas_server.ticket("ada", SERVICE))
        cas_server.fault(fault)
        ticket = cas_server.ticket("ada", SERVICE)
        with pytest.raises(casque.CASError) as raised:
            await cas.validate(ticket)
        assert isinstance(raised.value, error), raised.value
        assert ticket not in f"{raised.value}{raised.value!r}"
        # Sent once, and no redirect followed.
        assert len(cas_server.requests) == 2
        # And the client is as good as before.
        assert (await cas.validate(cas_server.ticket("bob", SERVICE))).user == "bob"


async def test_success_inside_an_error_names_the_status(both, cas_server):
    cas_server.fault("error")
    async with both(cas_server.url, SERVICE) as cas:
        with pytest.raises(casque.UnexpectedStatus) as raised:
            await cas.validate(cas_server.ticket("ada", SERVICE))
    assert (raised.value.status, raised.value.error_class) == (500, "unexpected_status")
    assert isinstance(raised.value, ValueError)


@pytest.mark.parametrize("fault", ["silent", "drip"])
async def test_nobody_waits_longer_than_the_timeout(both, cas_server, fault):
    # A byte now and then does not start the time again.
    cas_server.fault(fault)
    async with both(cas_server.url, SERVICE, timeout=0.3) as cas:
        with pytest.raises(casque.TransportError) as raised:
            await cas.validate(cas_server.ticket("ada", SERVICE))
    assert raised.value.error_class == "timeout"
    assert raised.value.__cause__ is not None or fault == "drip"
    assert len(cas_server.requests) == 1


async def test_nobody_is_there(both, cas_server):
    url = cas_server.url
    cas_server.close()
    async with both(url, SERVICE) as cas:
        with pytest.raises(casque.TransportError) as raised:
            await cas.validate("ST-1-abc")
    assert raised.value.__cause__ is not None
    assert "ST-1-abc" not in str(raised.value)


async def test_renew_goes_with_the_login_and_with_the_validation(both, cas_server):
    # S-013: asked for at login alone, it is bypassed by leaving the parameter out.
    async with both(cas_server.url, SERVICE, renew=True) as cas:
        assert "renew=true" in cas.client.login_url()
        assert (await cas.validate(cas_server.ticket("ada", SERVICE))).user == "ada"
        with pytest.raises(casque.AuthenticationFailure):
            await cas.validate(cas_server.ticket("ada", SERVICE, fresh=False))
    async with both(cas_server.url, SERVICE) as cas:
        stale = cas_server.ticket("ada", SERVICE, fresh=False)
        with pytest.raises(casque.AuthenticationFailure):
            await cas.validate(stale, renew=True)
    assert [request.parameter("renew") for request in cas_server.requests] == ["true"] * 3


async def test_only_allowed_proxies_sign_people_in(both, cas_server):
    # R-210, S-014
    chain = ["https://b.example.org/pgt", "https://a.example.org/pgt"]
    async with both(cas_server.url, SERVICE) as cas:
        with pytest.raises(casque.AuthenticationFailure):
            await cas.validate(cas_server.ticket("ada", SERVICE, proxies=chain))
    async with both(cas_server.url, SERVICE, allowed_chains=[chain]) as cas:
        assert (await cas.validate(cas_server.ticket("ada", SERVICE, proxies=chain))).proxies == chain
        assert cas_server.requests[-1].path == "/cas/p3/proxyValidate"
        with pytest.raises(casque.UntrustedResponse) as raised:
            await cas.validate(cas_server.ticket("ada", SERVICE, proxies=chain[::-1]))
    assert raised.value.error_class == "proxy_not_allowed"


async def test_proxy_tickets(both, cas_server):
    target = "https://backend.example.org/api?x=1&y=2"
    async with both(cas_server.url, SERVICE) as cas:
        ticket = await cas.proxy_ticket(cas_server.proxy_granting_ticket("ada"), target)
        assert ticket.startswith("PT-")
        assert cas_server.requests[-1].parameter("targetService") == target
        with pytest.raises(casque.ProxyFailure) as refusal:
            await cas.proxy_ticket("PGT-1-unknown", target)
        assert refusal.value.code == "BAD_PGT"
        with pytest.raises(casque.InvalidTicket):
            await cas.proxy_ticket("ST-1-abc&x", target)


async def test_pgt_url_is_sent(both, cas_server):
    async with both(cas_server.url, SERVICE, pgt_url="https://app.example.org/pgt") as cas:
        await cas.validate(cas_server.ticket("ada", SERVICE))
    assert cas_server.requests[-1].parameter("pgtUrl") == "https://app.example.org/pgt"


def test_the_context_manager(cas_server):
    with Client(cas_server.url, SERVICE) as cas:
        assert cas.validate(cas_server.ticket("ada", SERVICE)).user == "ada"


async def test_the_asynchronous_context_manager(cas_server):
    async with AsyncClient(cas_server.url, SERVICE) as cas:
        assert (await cas.validate(cas_server.ticket("ada", SERVICE))).user == "ada"


def test_urls():
    cas = Client("https://cas.example.org/cas/", "https://app.example.org/")
    assert cas.server == "https://cas.example.org/cas"
    login = "https://cas.example.org/cas/login?service=https%3A%2F%2Fapp.example.org%2F"
    assert cas.login_url() == login
    assert cas.login_url(gateway=True, method="POST") == f"{login}&gateway=true&method=POST"
    assert cas.login_url("https://b.example.org/") == login.replace("app", "b")
    assert cas.logout_url() == "https://cas.example.org/cas/logout"
    assert cas.logout_url("https://app.example.org/") == login.replace("/login", "/logout")
    page = Client(
        "https://cas.example.org/cas", "https://b.example.org/", login_page="https://sso.example.org/?lang=fr"
    )
    assert page.login_url() == "https://sso.example.org/?lang=fr&service=https%3A%2F%2Fb.example.org%2F"


@pytest.mark.parametrize(
    ("arguments", "options", "word"),
    [
        (["http://cas.example.org/cas"], {}, "allow_plain_http"),
        (["https://cas.example.org/cas?tenant=1"], {}, "leave out everything from \\?"),
        (["cas.example.org"], {}, "absolute URL"),
        (["https://me@cas.example.org/"], {}, "user information"),
        (["https://c.example.org", "https://app.example.org/a b"], {}, "service"),
        (["https://c.example.org"], {"protocol": 3}, "cas1, cas2, cas3, saml"),
        (["https://c.example.org"], {"format": "YAML"}, "XML or JSON"),
        (["https://c.example.org"], {"format": "JSON", "protocol": "cas1"}, "cas1 has no such"),
        (["https://c.example.org"], {"pgt_url": "https://a.example.org/", "protocol": "saml"}, "saml has no such"),
        (["https://c.example.org"], {"pgt_url": "http://a.example.org/"}, "pgt_url"),
        (["https://c.example.org"], {"allowed_chains": ["https://a.example.org/"]}, "allowed_chains"),
        (["https://c.example.org"], {"allowed_chains": "any"}, "allowed_chains"),
        (["https://c.example.org"], {"tolerate": "latin1"}, "write \\["),
        (["https://c.example.org"], {"tolerate": ["html"]}, "missing_namespace"),
        (["https://c.example.org"], {"clock_tolerance": -1}, "clock_tolerance"),
        (["https://c.example.org"], {"timeout": 0}, "timeout"),
        (["https://c.example.org"], {"http": "curl"}, "httpx, requests"),
        (["https://c.example.org"], {"http": "aiohttp"}, "no synchronous side"),
        (["https://c.example.org"], {"http": "urllib", "http2": True}, "no option http2"),
        (["https://c.example.org"], {"http": "requests", "http2": True}, "no option http2"),
        (["https://c.example.org"], {"transport": object(), "verify": False}, "verify"),
        (["https://c.example.org"], {"login_page": "http://sso.example.org/"}, "login_page"),
    ],
)
def test_misuse_says_what_to_write(arguments, options, word):
    with pytest.raises(casque.Misuse, match=word):
        Client(*arguments, **options)


def test_more_misuse():
    cas = Client("https://cas.example.org")
    with pytest.raises(casque.Misuse, match="service"):
        cas.login_url()
    with pytest.raises(casque.Misuse, match="service"):
        cas.validate("ST-1-abc")
    with pytest.raises(casque.Misuse, match="renew and gateway"):
        Client("https://c.example.org", "https://a.example.org/", renew=True).login_url(gateway=True)
    with pytest.raises(casque.Misuse, match="method"):
        cas.login_url("https://a.example.org/", method="PUT")
    with pytest.raises(casque.Misuse, match="no asynchronous side"):
        AsyncClient("https://cas.example.org", http="requests")
    assert "example.org/login" not in repr(Client("https://cas.example.org", SERVICE))


def test_plain_http_by_name():
    assert Client("http://cas.example.org/cas", allow_plain_http=True).server == "http://cas.example.org/cas"
    for loopback in ("http://localhost:8000", "http://127.0.0.1/cas", "http://[::1]:1/cas"):
        assert Client(loopback).server == loopback


def test_an_own_transport():
    class Canned:
        def send(self, request):
            self.request = request
            return casque.http.Response(200, casque.http.Headers(), b"yes\nada\n")

        def close(self):
            self.closed = True

    transport = Canned()
    with Client("https://c.example.org", "https://a.example.org/", protocol="cas1", transport=transport) as cas:
        assert cas.validate("ST-1-abc").user == "ada"
    assert transport.closed
    assert "ST-1-abc" in transport.request.url
    assert "ST-1-abc" not in repr(transport.request)


def test_a_result_goes_into_a_session(cas_server):
    with Client(cas_server.url, SERVICE) as cas:
        person = cas.validate(cas_server.ticket("ada", SERVICE, ATTRIBUTES))
    for again in (pickle.loads(pickle.dumps(person)), copy.copy(person), copy.deepcopy(person)):
        assert again == person
    assert json.loads(json.dumps(person.to_dict())) == {
        "user": "ada",
        "attributes": ATTRIBUTES,
        "proxies": [],
        "authentication_date": None,
        "is_from_new_login": None,
        "long_term": None,
    }

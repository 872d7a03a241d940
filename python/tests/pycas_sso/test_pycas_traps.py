"""The 38 traps of PyCAS-SSO 0.1.0, by number: what is a defect there works here."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.metadata
import logging
import os
import pickle
import subprocess
import sys
import threading
import time
import warnings
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from pycas_fakes import CALLBACK, SERVICE, FakeCas, Said, Seen, Way, document, failure, login_pages, success

import casque
from casque.errors import CASError
from pycas_sso.cas import CASClient
from pycas_sso.errors import (
    CASConfigurationWarning,
    CASForbiddenXML,
    CASProxyFailure,
    CASResponseError,
    CASServiceAuthenticationFailure,
    CASTicketError,
    CASTransportError,
    CASUnexpectedStatus,
    CASUntrustedResponse,
    CASUsageError,
)

PROVIDER = "https://cas.example.org/cas"
TICKET = "ST-1-s3cr3tS3cr3t"
OLD_WAYS = {"PYCAS_SSO_VALIDATE_WITH": "service_url"}


def refused(way: Way, cas: FakeCas, name: str = "service_validate", *arguments: object, **options: object):
    """The error, which callers of PyCAS-SSO and of casque catch alike."""
    with pytest.raises((CASServiceAuthenticationFailure, CASProxyFailure)) as caught:
        way.ask(cas, name, *(arguments or (TICKET,)), **options)
    assert isinstance(caught.value, CASError)
    assert TICKET not in str(caught.value) + repr(caught.value)
    return caught.value


# What the documentation shows


def test_trap_01_the_client_at_the_top() -> None:
    import pycas_sso

    assert pycas_sso.CASClient is CASClient


def test_trap_02_async_with_says_that_a_client_is_asynchronous(cas: FakeCas) -> None:
    cas.says("/serviceValidate", success())

    async def main(library: str) -> str:
        async with CASClient.create(cas.url, SERVICE, CALLBACK, http_lib=library) as client:
            assert client.is_async
            return (await client.aservice_validate(TICKET)).username

    for library in ("default", "httpx", "aiohttp", "urllib"):
        assert asyncio.run(main(library)) == "ada"


def test_trap_03_without_a_callback(way: Way, cas: FakeCas) -> None:
    client = way.create(cas.url, SERVICE, None)
    assert client.callback_url == SERVICE
    assert client.login_form_url() == f"{cas.url}/login?service={quote_plus(SERVICE)}"
    cas.says("/serviceValidate", success())
    way.run(client, ("service_validate", TICKET))
    assert cas.seen[0].query["service"] == [SERVICE]


def test_trap_04_version_as_a_text(way: Way, cas: FakeCas) -> None:
    cas.says("/serviceValidate", success("<cas:user>two</cas:user>"))
    cas.says("/p3/serviceValidate", success("<cas:user>three</cas:user>"))
    for version, user in (("2", "two"), ("3", "three"), (2, "two"), (3, "three")):
        assert way.ask(cas, "service_validate", TICKET, {"version": version}).username == user


@pytest.mark.parametrize("provider_ends_with", ["", "/"])
def test_trap_05_a_configuration_as_the_documentation_shows_it(way: Way, cas: FakeCas, provider_ends_with: str) -> None:
    """Two services, a slash, and a server that tells one from the other."""
    login = "http://localhost:8000/login"
    _strict(cas)
    _give(cas, "ST-1", login)
    client = way.create(cas.url + provider_ends_with, "http://localhost:5000", login)
    assert client.login_form_url() == f"{cas.url}/login?service={quote_plus(login)}"
    assert way.run(client, ("service_validate", "ST-1"))[0].username == "ada"


# Services and addresses


def test_trap_06_a_ticket_is_validated_with_the_service_of_its_login(
    way: Way, cas: FakeCas, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    _strict(cas)
    for number in range(4):
        _give(cas, f"ST-{number}", CALLBACK)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        client = way.create(cas.url)
        client.login_form_url()
        way.run(client, ("service_validate", "ST-0"))
        # Another login: another client.
        assert way.ask(cas, "validate", "ST-1").username == "ada"
        assert way.ask(cas, "proxy_validate", "ST-2").username == "ada"
    assert [each.category for each in warned] == [CASConfigurationWarning]
    assert "same URL" in str(warned[0].message)
    assert Path(warned[0].filename).name == "pycas_fakes.py"
    texts = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(texts) == 1
    assert SERVICE in texts[0]
    assert CALLBACK in texts[0]
    assert "PYCAS_SSO_VALIDATE_WITH=service_url" in texts[0]

    # The old way, by name.
    error = refused(way, cas, "service_validate", "ST-3", validate_with="service_url")
    assert error.code == "INVALID_SERVICE"
    _give(cas, "ST-3", SERVICE)
    assert way.ask(cas, "service_validate", "ST-3", validate_with="service_url").username == "ada"
    monkeypatch.setenv(*next(iter(OLD_WAYS.items())))
    _give(cas, "ST-3", SERVICE)
    assert way.ask(cas, "service_validate", "ST-3").username == "ada"
    _give(cas, "ST-3", CALLBACK)
    assert way.ask(cas, "service_validate", "ST-3", validate_with="callback_url").username == "ada"


def test_trap_06_a_ticket_of_login_is_validated_with_its_service(way: Way, cas: FakeCas) -> None:
    login_pages(cas, {"ada": "secret"})
    _strict(cas)
    _give(cas, "ST-1-ada", SERVICE)
    client = way.create(cas.url)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if way.is_async:

            async def main() -> str:
                async with client:
                    data = await client.alogin("ada", "secret")
                    return (await client.aservice_validate(data.ticket)).username

            assert asyncio.run(main()) == "ada"
        else:
            with client:
                assert client.service_validate(client.login("ada", "secret").ticket).username == "ada"


def test_trap_06_a_wrong_switch_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="validate_with is 'service'; it can be 'callback_url'"):
        CASClient.create(PROVIDER, SERVICE, validate_with="service")
    monkeypatch.setenv("PYCAS_SSO_VALIDATE_WITH", "both")
    with pytest.raises(ValueError, match="PYCAS_SSO_VALIDATE_WITH is 'both'"):
        CASClient.create(PROVIDER, SERVICE)
    for value in ("callback_url", ""):
        monkeypatch.setenv("PYCAS_SSO_VALIDATE_WITH", value)
        assert CASClient.create(PROVIDER, SERVICE).validate_with == "callback_url"


def test_trap_06_nobody_is_kept_out_where_warnings_are_errors(cas: FakeCas) -> None:
    cas.says("/serviceValidate", success())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with CASClient.create(cas.url, SERVICE, CALLBACK) as client:
            assert client.service_validate(TICKET).username == "ada"


def test_trap_07_a_provider_with_a_slash() -> None:
    for provider in (PROVIDER, PROVIDER + "/", PROVIDER + "//"):
        client = CASClient.create(provider, SERVICE)
        assert client.provider == provider
        assert client.logout_url() == f"{PROVIDER}/logout"
        assert client.service_validate_url(3) == f"{PROVIDER}/p3/serviceValidate"


def test_trap_08_a_provider_with_a_query() -> None:
    client = CASClient.create(PROVIDER + "?tenant=1", SERVICE)
    assert client.logout_url() == f"{PROVIDER}/logout?tenant=1"
    assert client.login_form_url() == f"{PROVIDER}/login?tenant=1&service={quote_plus(SERVICE)}"


def test_trap_09_a_service_for_one_call(way: Way, cas: FakeCas) -> None:
    deep = "https://other.example.org/deep?link=a b"
    _strict(cas)
    for name in ("validate", "service_validate", "proxy_validate"):
        _give(cas, "ST-1", deep)
        assert way.ask(cas, name, "ST-1", {"service": deep}).username == "ada"


def test_trap_10_gateway_gives_way_to_renew() -> None:
    url = CASClient.create(PROVIDER, SERVICE).login_form_url(True, True)
    assert "renew=true" in url
    assert "gateway" not in url


def test_trap_11_renew_for_login_and_validation(way: Way, cas: FakeCas) -> None:
    cas.says("/serviceValidate", success())
    cas.says("/validate", "yes\nada\n")
    client = way.create(cas.url, renew=True)
    assert "renew=true" in client.login_form_url()
    way.run(client, ("service_validate", TICKET), ("validate", TICKET))
    assert [seen.query["renew"] for seen in cas.seen] == [["true"], ["true"]]


def test_trap_12_only_a_ticket_is_a_ticket() -> None:
    client = CASClient.create(PROVIDER, SERVICE)
    for query in ("ticket=ST-1&ticket=ST-2", "ticket=ST-1%26service%3Dx", "ticket=ST-1%0A", "a=1#ticket=ST-1"):
        assert client.ticket_from_url(f"https://app.example.org/?{query}") == ""
    assert client.ticket_from_url("https://app.example.org/?ticket=ST-1#top") == "ST-1"


def test_trap_13_a_hint_about_attributes(way: Way, cas: FakeCas, caplog: pytest.LogCaptureFixture) -> None:
    cas.says("/serviceValidate", success())
    with caplog.at_level(logging.DEBUG, "pycas_sso"):
        assert way.ask(cas, "service_validate", TICKET).attrs is None
    assert "version=3" in caplog.text


# Answers


def test_trap_14_status_garbage_and_redirections(way: Way, cas: FakeCas) -> None:
    for status in (404, 500, 503):
        cas.says("/serviceValidate", success(), status)
        cas.says("/validate", "yes\nada\n", status)
        for name in ("service_validate", "validate"):
            error = refused(way, cas, name)
            assert isinstance(error, CASUnexpectedStatus)
            assert (error.http_status, error.error_class) == (status, "unexpected_status")
    for body in (
        "<html><body>Down for maintenance</body></html>",
        "",
        "   ",
        "null",
        '{"error": 1}',
        "<cas",
        b"\xff\xfe",
    ):
        cas.says("/serviceValidate", body)
        cas.says("/proxyValidate", body)
        cas.says("/proxy", body)
        cas.says("/samlValidate", body)
        for name in ("service_validate", "proxy_validate", "saml_validate"):
            error = refused(way, cas, name)
            assert isinstance(error, CASResponseError)
            assert isinstance(error, ValueError)
            assert error.http_status == 200
        with pytest.raises(CASProxyFailure):
            way.ask(cas, "proxy", "PGT-1", SERVICE)
    cas.says("/serviceValidate", '{"serviceResponse": {"authenticationSuccess": {"user": "ada"}}}')
    assert way.ask(cas, "service_validate", TICKET).username == "ada"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_trap_14_redirections_are_not_followed(way: Way, cas: FakeCas, status: int) -> None:
    cas.says("/serviceValidate", "", status, ("Location", f"{cas.url}/elsewhere"))
    cas.says("/validate", "", status, ("Location", f"{cas.url}/elsewhere"))
    cas.says("/samlValidate", "", status, ("Location", f"{cas.url}/elsewhere"))
    cas.says("/elsewhere", success())
    for name in ("service_validate", "validate", "saml_validate"):
        refused(way, cas, name)
    assert len(cas.seen) == 3


@pytest.mark.parametrize(
    "inside", ["", "<cas:user></cas:user>", "<cas:user/>", "<cas:user>  </cas:user>", "<cas:id>a</cas:id>"]
)
def test_trap_15_nobody_is_not_somebody(way: Way, cas: FakeCas, inside: str) -> None:
    cas.says("/serviceValidate", success(inside))
    assert refused(way, cas).error_class == "missing_user"


def test_trap_16_names_are_whole(way: Way, cas: FakeCas) -> None:
    for user in ("ali<!-- c -->ce", "ali<?x?>ce", "ali<b/>ce"):
        cas.says("/serviceValidate", success(f"<cas:user>{user}</cas:user>"))
        refused(way, cas)
    cas.says("/serviceValidate", success("<cas:user>ada</cas:user><cas:user>bob</cas:user>"))
    assert refused(way, cas).error_class == "ambiguous"
    cas.says("/serviceValidate", success("<cas:user>\n  ada\n</cas:user>"))
    assert way.ask(cas, "service_validate", TICKET).username == "ada"


def test_trap_17_a_comment_beside_attributes(way: Way, cas: FakeCas) -> None:
    attributes = "<cas:attributes><!-- from LDAP --><cas:mail>a@b</cas:mail></cas:attributes>"
    cas.says("/serviceValidate", success(f"<cas:user>ada</cas:user>{attributes}"))
    assert way.ask(cas, "service_validate", TICKET).attrs == {"mail": "a@b"}


def test_trap_18_attributes(way: Way, cas: FakeCas) -> None:
    attributes = "<cas:one>1</cas:one><cas:two>1</cas:two><cas:two/><cas:none/>"
    shaped = {"one": "1", "two": ["1", None], "none": None}
    for inside in (f"<cas:attributes>{attributes}</cas:attributes>", attributes):
        cas.says("/serviceValidate", success(f"<cas:user>ada</cas:user>{inside}"))
        data = way.ask(cas, "service_validate", TICKET)
        assert data.attrs == shaped
        assert data.attributes == {"one": ["1"], "two": ["1", ""], "none": [""]}


def test_trap_19_a_document_without_a_namespace(way: Way, cas: FakeCas) -> None:
    cas.says("/serviceValidate", success().replace("cas:", "").replace(' xmlns:cas="http://www.yale.edu/tp/cas"', ""))
    refused(way, cas)
    assert way.ask(cas, "service_validate", TICKET, tolerate=["missing_namespace"]).username == "ada"


def test_trap_20_proxies(way: Way, cas: FakeCas) -> None:
    proxy = "https://portal.example.org/pgt"
    answer = success(f"<cas:user>ada</cas:user><cas:proxies><cas:proxy>{proxy}</cas:proxy></cas:proxies>")
    cas.says("/serviceValidate", answer)
    cas.says("/proxyValidate", answer)
    error = refused(way, cas)
    assert isinstance(error, CASUntrustedResponse)
    assert isinstance(error, casque.UntrustedResponse)
    assert way.ask(cas, "proxy_validate", "PT-1").proxies == [proxy]
    assert way.ask(cas, "proxy_validate", "PT-1", allowed_proxy_chains=[[proxy]]).proxies == [proxy]
    refused(way, cas, "proxy_validate", "PT-1", allowed_proxy_chains=[])
    refused(way, cas, "proxy_validate", "PT-1", allowed_proxy_chains=[["https://other.example.org/"], [proxy, proxy]])


def test_trap_21_the_name_of_a_proxy_granting_ticket_and_the_ticket(way: Way, cas: FakeCas) -> None:
    answer = success("<cas:user>ada</cas:user><cas:proxyGrantingTicket>PGTIOU-1-x</cas:proxyGrantingTicket>")
    cas.says("/serviceValidate", answer)
    store = casque.MemoryPgtStore()
    store.create("PGTIOU-1-x", "PGT-1-y", 60)
    client = way.create(cas.url, pgt_store=store)
    (data,) = way.run(client, ("service_validate", TICKET, "https://app.example.org/pgt"))
    assert data.proxy_granting_ticket == data.pgt_iou == "PGTIOU-1-x"
    assert client.proxy_granting_ticket(data) == "PGT-1-y"
    with pytest.raises(CASUsageError, match="pgt_store"):
        way.create(cas.url).proxy_granting_ticket(data)


def test_trap_22_cas_1(way: Way, cas: FakeCas) -> None:
    for body in (
        "",
        "\n",
        "yes",
        "yes\n",
        "yes\n  \n",
        "yes\nada\nbob\n",
        b"yes\n\xff\n",
        "maybe\nada\n",
        "<html>yes</html>",
    ):
        cas.says("/validate", body)
        error = refused(way, cas, "validate")
        assert isinstance(error, ValueError)
    cas.says("/validate", "yes\r\n ada \r\n")
    assert way.ask(cas, "validate", TICKET).username == "ada"


# Errors


def test_trap_23_errors_say_what_the_server_said(way: Way, cas: FakeCas) -> None:
    cas.says("/serviceValidate", failure("INVALID_TICKET", "\n  Ticket not recognized\n"))
    error = refused(way, cas)
    assert (error.code, error.server_message, error.http_status) == ("INVALID_TICKET", "Ticket not recognized", 200)
    assert str(error).startswith("The ticket provided was not valid")
    cas.says("/serviceValidate", failure("UNAUTHORIZED_SERVICE", "who\nare you"))
    error = refused(way, cas)
    assert (str(error), error.message) == ("who are you", "who\nare you")
    cas.says("/serviceValidate", failure("STRANGE", ""))
    error = refused(way, cas)
    assert (error.code, str(error), error.server_message) == ("STRANGE", "", None)


def test_trap_24_incomplete_failures(way: Way, cas: FakeCas) -> None:
    cas.says("/serviceValidate", document("<cas:authenticationFailure>no</cas:authenticationFailure>"))
    error = refused(way, cas)
    assert type(error) is CASServiceAuthenticationFailure
    assert str(error) == "no"
    for body in (failure(), document("<cas:proxySuccess/>"), document("<cas:proxyFailure>no</cas:proxyFailure>")):
        cas.says("/proxy", body)
        assert isinstance(refused(way, cas, "proxy", "PGT-1", SERVICE), CASProxyFailure)


def test_trap_25_one_error_for_no_answer(way: Way, cas: FakeCas) -> None:
    client = way.create("http://127.0.0.1:1/cas")
    with pytest.raises(CASTransportError) as caught:
        way.run(client, ("service_validate", TICKET))
    assert isinstance(caught.value, casque.TransportError)
    library = sys.modules.get(way.library)
    if way.library == "httpx":
        assert isinstance(caught.value, library.ConnectError)
    elif way.library == "requests":
        assert isinstance(caught.value, library.ConnectionError)
    elif way.library == "aiohttp":
        assert isinstance(caught.value, library.ClientConnectionError)
    assert issubclass(CASServiceAuthenticationFailure, CASError)
    assert issubclass(CASProxyFailure, CASError)
    assert TICKET not in pickle.dumps(caught.value).decode("latin-1")


# XML


def test_trap_26_no_dtd(way: Way, cas: FakeCas, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("ST-secret")
    dtd = f'<!DOCTYPE x [<!ENTITY e "admin"><!ENTITY f SYSTEM "{secret.as_uri()}">]>'
    cas.says("/serviceValidate", dtd + success("<cas:user>&e;</cas:user>"))
    error = refused(way, cas)
    assert isinstance(error, CASForbiddenXML)
    assert isinstance(error, casque.ForbiddenXML)
    for entity in ("&e;", "&f;", "ST-1"):
        with pytest.raises(casque.ForbiddenXML) as caught:
            CASClient.create(PROVIDER, SERVICE).parse_logout_request((dtd + _logout(index=entity)).encode())
        assert "secret" not in str(caught.value)


def test_trap_27_saml_requests(way: Way, cas: FakeCas) -> None:
    cas.says("/samlValidate", "<x/>")
    summer = datetime(2026, 7, 1, 12, 0, 0, tzinfo=timezone(timedelta(hours=2)))
    assert way.ask(cas, "fetch_saml_validate", TICKET, "123-é", summer) == b"<x/>"
    assert way.ask(cas, "fetch_saml_validate", TICKET) == b"<x/>"
    first, second = (seen.body.decode() for seen in cas.seen)
    assert 'RequestID="_123-_"' in first
    assert 'IssueInstant="2026-07-01T10:00:00' in first
    assert f">{TICKET}<" in first
    assert 'RequestID="_' in second
    assert cas.seen[0].query == {"TARGET": [CALLBACK]}
    assert cas.seen[0].headers["content-type"].startswith("text/xml")
    assert "security" in cas.seen[0].headers["soapaction"]
    for bad in ("ST-1&<x>", "ST-1</a>", "", "hello", "TGT-1", "ST-" + "a" * 2000, None):
        with pytest.raises(CASTicketError) as caught:
            way.ask(cas, "saml_validate", bad)
        assert isinstance(caught.value, casque.InvalidTicket)
        assert isinstance(caught.value, ValueError)
    assert len(cas.seen) == 2


def test_saml_validate(way: Way, cas: FakeCas) -> None:
    cas.says("/samlValidate", _saml())
    data = way.ask(cas, "saml_validate", TICKET)
    assert (data.username, data.attrs, data.proxies) == ("ada", {"group": ["a", "b"]}, None)


def test_trap_27_saml_answers(way: Way, cas: FakeCas, monkeypatch: pytest.MonkeyPatch) -> None:
    for status in ("saml1p:Success", "Success", "samlp:Success"):
        cas.says("/samlValidate", _saml(status=status))
        assert way.ask(cas, "saml_validate", TICKET).username == "ada"
    old, foreign = _saml(age=timedelta(hours=1)), _saml(audience="https://evil.example.org/")
    for body, what in ((old, "saml_conditions"), (foreign, "saml_audience")):
        cas.says("/samlValidate", body)
        for options in ({}, {"validate_with": "service_url"}):
            error = refused(way, cas, "saml_validate", **options)
            assert isinstance(error, CASUntrustedResponse)
            assert error.error_class in (what, "saml_audience")
    cas.says("/samlValidate", _saml(user=""))
    assert refused(way, cas, "saml_validate").error_class == "missing_user"
    cas.says("/samlValidate", _saml(status="samlp:RequestDenied", message="not today"))
    error = refused(way, cas, "saml_validate")
    assert (error.code, error.server_message) == ("RequestDenied", "not today")
    cas.says("/samlValidate", _saml().replace(' Value="samlp:Success"', ""))
    refused(way, cas, "saml_validate")
    # Only the variable turns it back, and says so.
    monkeypatch.setenv(*next(iter(OLD_WAYS.items())))
    for body in (old, foreign):
        cas.says("/samlValidate", body)
        assert way.ask(cas, "saml_validate", TICKET).username == "ada"
    cas.says("/samlValidate", _saml(user=""))
    refused(way, cas, "saml_validate")


# Logout


def test_trap_28_logout_requests() -> None:
    parse = CASClient.create(PROVIDER, SERVICE).parse_logout_request
    plain = _logout()
    noon = datetime(2026, 1, 2, 3, 4, 5)
    for body in (
        plain.encode(),
        plain,
        '<?xml version="1.0" encoding="UTF-8"?>' + plain,
        f"logoutRequest={quote_plus(plain)}".encode(),
        f"a=1&logoutRequest={quote_plus(plain)}",
    ):
        data = parse(body)
        assert (data.request_id, data.issued_at, data.session_id) == ("LR-1", noon, "ST-1-abc")
        assert data.issued_at_utc == noon.replace(tzinfo=timezone.utc)
    for text, expected in (
        ("2026-01-02T03:04:05.678Z", noon.replace(microsecond=678000)),
        ("2026-01-02T05:04:05+02:00", noon),
        ("Fri, 02 Jan 2026 03:04:05 GMT", noon),
        ("soon", "soon"),
        ("2026-99-02T03:04:05Z", "2026-99-02T03:04:05Z"),
    ):
        assert parse(_logout(instant=text)).issued_at == expected
    assert parse(_logout().replace(' IssueInstant="2026-01-02T03:04:05Z"', "")).issued_at == ""
    two = "ST-1</samlp:SessionIndex><samlp:SessionIndex>ST-2"
    for body in ("", "<x/>", success(), plain.replace("SessionIndex", "Other"), _logout(index=two), _logout(index="")):
        with pytest.raises(ValueError, match=r"."):
            parse(body)


def test_trap_29_logout(way: Way, cas: FakeCas) -> None:
    cas.says("/logout", "", 302, ("Location", f"{cas.url}/elsewhere"))
    assert way.ask(cas, "logout") is True
    assert [seen.path for seen in cas.seen] == ["/cas/logout"]


# Logging in without a browser


def test_trap_30_the_form_is_fetched_first(way: Way, cas: FakeCas) -> None:
    login_pages(cas, {"ada": "secret"})
    extra = {"extra_data": {"geolocation": "x"}}
    (data,) = way.run(way.create(cas.url), ("login", "ada", "secret", extra))
    assert data.success
    page, posted = cas.seen
    assert (page.method, posted.method) == ("GET", "POST")
    assert page.query == {"service": [SERVICE]}
    assert posted.form["execution"] == ["e1&s1"]
    assert posted.form["_eventId"] == ["submit"]
    assert posted.form["geolocation"] == ["x"]
    # Once: a strict server refuses a service given twice.
    assert posted.query.get("service", []) + posted.form["service"] == [SERVICE]
    assert "flow=" in posted.cookies


def test_trap_30_a_form_of_the_callers_own(way: Way, cas: FakeCas) -> None:
    cas.answers["/login"] = lambda seen: Said("", 302, [("Location", f"{SERVICE}?ticket=ST-1")])
    data = way.run(way.create(cas.url), ("login", "ada", "secret", {"extra_data": {"lt": "LT-1"}}))[0]
    assert (data.success, data.ticket) == (True, "ST-1")
    assert [seen.method for seen in cas.seen] == ["POST"]
    assert cas.seen[0].form["lt"] == ["LT-1"]


def test_trap_30_a_form_that_posts_elsewhere_gets_no_password(way: Way, cas: FakeCas) -> None:
    form = '<form action="https://evil.example.org/"><input type="password" name="password"></form>'
    cas.says("/login", form)
    assert not way.run(way.create(cas.url), ("login", "ada", "secret"))[0].success
    assert [seen.method for seen in cas.seen] == ["GET", "POST"]


def test_trap_31_success_is_a_ticket(way: Way, cas: FakeCas, monkeypatch: pytest.MonkeyPatch) -> None:
    def after_post(*answer: object) -> None:
        cas.answers["/login"] = lambda seen: Said(*answer) if seen.method == "POST" else Said("")

    def success_of() -> bool:
        return way.run(way.create(cas.url), ("login", "ada", "x"))[0].success

    for status, location, good in (
        (200, None, False),
        (201, None, False),
        (302, "/cas/error", False),
        (302, SERVICE, False),
        (302, f"{SERVICE}?ticket=", False),
        (302, "https://elsewhere.example.org/?ticket=ST-1", False),
        (302, f"{SERVICE}?ticket=ST-1", True),
        (303, f"{SERVICE}?ticket=ST-1", True),
        (200, f"{SERVICE}?ticket=ST-1", False),
    ):
        after_post("", status, [("Location", location)] if location else [])
        assert success_of() is good, (status, location)
    after_post("", 302, [("Location", SERVICE)])
    monkeypatch.setenv(*next(iter(OLD_WAYS.items())))
    assert success_of() is True
    after_post("bad credentials", 200)
    assert success_of() is False


def test_trap_32_nobody_gets_the_ticket_of_somebody_else(way: Way, cas: FakeCas) -> None:
    login_pages(cas, {"ada": "secret", "bob": "builder"})
    client = way.create(cas.url)
    ada, bob, wrong = way.run(
        client, ("login", "ada", "secret"), ("login", "bob", "builder"), ("login", "bob", "wrong")
    )
    assert (ada.ticket, bob.ticket, wrong.success) == ("ST-1-ada", "ST-1-bob", False)


def test_trap_32_at_the_same_time(cas: FakeCas) -> None:
    login_pages(cas, {f"user{number}": "secret" for number in range(8)})

    async def main(library: str) -> list[str]:
        async with CASClient.create(cas.url, SERVICE, http_lib=library, is_async=True) as client:
            logins = await asyncio.gather(*(client.alogin(f"user{number}", "secret") for number in range(8)))
        return [data.ticket for data in logins]

    for library in ("httpx", "aiohttp", "urllib"):
        assert asyncio.run(main(library)) == [f"ST-1-user{number}" for number in range(8)]


def test_trap_33_boxes_are_ticked_or_absent(way: Way, cas: FakeCas) -> None:
    login_pages(cas, {"ada": "secret"})
    way.run(way.create(cas.url), ("login", "ada", "secret"), ("login", "ada", "secret", True, True))
    plain, ticked = (seen.form for seen in cas.seen if seen.method == "POST")
    assert plain.keys().isdisjoint({"warn", "remember", "rememberMe"})
    assert (ticked["warn"], ticked["rememberMe"], ticked["remember"]) == (["true"], ["true"], ["true"])


# Clients


@pytest.mark.parametrize("options", [{"timeout": 5}, {"timeout": 5.5, "verify": False}, {"headers": {"X-Ours": "1"}}])
def test_trap_34_options(way: Way, cas: FakeCas, options: dict[str, object]) -> None:
    cas.says("/serviceValidate", success())
    assert way.ask(cas, "service_validate", TICKET, **options).username == "ada"
    if "headers" in options:
        assert cas.seen[0].headers["x-ours"] == "1"


def test_trap_34_an_option_that_is_not_there(way: Way, cas: FakeCas) -> None:
    async def create() -> None:
        way.create(cas.url, no_such_option=1)

    with pytest.raises(TypeError, match="no_such_option"):
        asyncio.run(create())


def test_trap_34_nobody_waits_for_ever(way: Way, cas: FakeCas) -> None:
    held = threading.Event()

    def slow(_: Seen) -> Said:
        held.wait(5)
        return Said(success())

    cas.answers["/serviceValidate"] = slow
    started = time.monotonic()
    try:
        with pytest.raises(CASTransportError):
            way.ask(cas, "service_validate", TICKET, timeout=0.2)
    finally:
        held.set()
    assert time.monotonic() - started < 4


def test_trap_34_aiohttp_outside_a_loop(cas: FakeCas) -> None:
    cas.says("/serviceValidate", success())
    client = CASClient.create(cas.url, SERVICE, http_lib="aiohttp")

    async def main() -> str:
        async with client:
            return (await client.aservice_validate(TICKET)).username

    assert asyncio.run(main()) == "ada"


def test_trap_35_the_wrong_side_is_named() -> None:
    with pytest.raises(ValueError, match="requests has no asynchronous side"):
        CASClient.create(PROVIDER, SERVICE, http_lib="requests", is_async=True)
    asynchronous = CASClient.create(PROVIDER, SERVICE, http_lib="httpx", is_async=True)
    aiohttp = CASClient.create(PROVIDER, SERVICE, http_lib="aiohttp")
    requests = CASClient.create(PROVIDER, SERVICE, http_lib="requests")
    for client in (asynchronous, aiohttp):
        with pytest.raises(CASUsageError, match="begin"):
            client.service_validate(TICKET)
        with pytest.raises(CASUsageError, match="async with"), client:
            pass

    async def main() -> None:
        with pytest.raises(CASUsageError, match="no asynchronous side"):
            await requests.aservice_validate(TICKET)
        with pytest.raises(CASUsageError, match="no asynchronous side"):
            async with requests:
                pass
        _ = asynchronous.http, aiohttp.http
        for client in (asynchronous, aiohttp):
            with pytest.raises(CASUsageError, match="aclose"):
                client.close()
            await client.aclose()

    asyncio.run(main())
    assert type(CASClient.create(PROVIDER, SERVICE, is_async=True)).__name__ == "CASClient_Httpx"


def test_trap_36_results_go_into_a_session(way: Way, cas: FakeCas) -> None:
    answer = success("<cas:user>ada</cas:user><cas:proxyGrantingTicket>PGTIOU-1-s3cr3t</cas:proxyGrantingTicket>")
    cas.says("/serviceValidate", answer)
    data = way.ask(cas, "service_validate", TICKET)
    assert "s3cr3t" not in repr(data)
    assert pickle.loads(pickle.dumps(data)) == data
    assert dataclasses.asdict(data)["username"] == "ada"


def test_trap_37_logs_hold_no_secret(way: Way, cas: FakeCas, caplog: pytest.LogCaptureFixture) -> None:
    login_pages(cas, {"ada": "p4ssw0rd"})
    forged = f"no\n2026-01-01 root logged in\r\x1b[2J Ticket '{TICKET}' not recognized"
    cas.says("/serviceValidate", failure("INVALID_TICKET", forged.replace("\x1b", "")))
    cas.says("/proxyValidate", failure("X-1", f"{TICKET}\nnext"))
    cas.says("/validate", "no\n")
    cas.says(
        "/proxy", document("<cas:proxySuccess><cas:proxyTicket>PT-1-s3cr3tS3cr3t</cas:proxyTicket></cas:proxySuccess>")
    )
    cas.says("/samlValidate", _saml())
    with caplog.at_level(logging.DEBUG, "pycas_sso"):
        for name in ("service_validate", "proxy_validate", "validate"):
            with pytest.raises(CASServiceAuthenticationFailure):
                way.ask(cas, name, TICKET)
        way.run(
            way.create(cas.url),
            ("login", "ada", "p4ssw0rd"),
            ("saml_validate", TICKET),
            ("proxy", "PGT-1-s3cr3tS3cr3t", SERVICE),
            ("logout",),
        )
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("pycas_sso")]
    assert len(ours) > 8
    for text in ours:
        assert "s3cr3t" not in text.lower(), text
        assert "p4ssw0rd" not in text
        assert "ST-1-ada" not in text
        assert text.isprintable(), repr(text)


def test_trap_38_typed_and_light() -> None:
    import pycas_sso

    assert (Path(pycas_sso.__file__).parent / "py.typed").is_file()
    script = (
        "import sys; import pycas_sso.cas; from pycas_sso.errors import CASServiceAuthenticationFailure;"
        "print([name for name in ('httpx', 'requests', 'aiohttp', 'lxml', 'ssl', 'http') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "[]"
    try:
        requires = importlib.metadata.requires("casque") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("skipped: casque is not installed as a package")
    assert [each for each in requires if "extra ==" not in each] == []


# A server that tells services apart, and a few documents


def _strict(cas: FakeCas) -> None:
    tickets = cas.tickets

    def xml(seen: Seen) -> Said:
        if tickets.pop(seen.query["ticket"][0], None) != seen.query["service"][0]:
            return Said(failure("INVALID_SERVICE", "another service"))
        return Said(success())

    def plain(seen: Seen) -> Said:
        good = tickets.pop(seen.query["ticket"][0], None) == seen.query["service"][0]
        return Said("yes\nada\n" if good else "no\n\n")

    for path in ("/serviceValidate", "/proxyValidate", "/p3/serviceValidate"):
        cas.answers[path] = xml
    cas.answers["/validate"] = plain


def _give(cas: FakeCas, ticket: str, service: str) -> None:
    cas.tickets[ticket] = service


def _logout(index: str = "ST-1-abc", instant: str = "2026-01-02T03:04:05Z") -> str:
    return (
        '<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="LR-1" Version="2.0" '
        f'IssueInstant="{instant}"><samlp:SessionIndex>{index}</samlp:SessionIndex></samlp:LogoutRequest>'
    )


def _saml(
    user: str = "ada",
    status: str = "samlp:Success",
    message: str = "",
    audience: str = CALLBACK,
    age: timedelta = timedelta(0),
) -> str:
    now = datetime.now(timezone.utc) - age
    start, end = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (now, now + timedelta(seconds=30)))
    subject = f"<saml:Subject><saml:NameIdentifier>{user}</saml:NameIdentifier></saml:Subject>"
    values = "".join(f"<saml:AttributeValue>{value}</saml:AttributeValue>" for value in ("a", "b"))
    said = f"<samlp:StatusMessage>{message}</samlp:StatusMessage>" if message else ""
    return (
        '<E:Envelope xmlns:E="http://schemas.xmlsoap.org/soap/envelope/"><E:Body>'
        '<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:1.0:protocol" '
        'xmlns:saml="urn:oasis:names:tc:SAML:1.0:assertion">'
        f'<samlp:Status><samlp:StatusCode Value="{status}"/>{said}</samlp:Status>'
        f'<saml:Assertion><saml:Conditions NotBefore="{start}" NotOnOrAfter="{end}">'
        f"<saml:AudienceRestrictionCondition><saml:Audience>{audience}</saml:Audience>"
        "</saml:AudienceRestrictionCondition></saml:Conditions>"
        f'<saml:AttributeStatement>{subject}<saml:Attribute AttributeName="group">{values}</saml:Attribute>'
        "</saml:AttributeStatement>"
        f'<saml:AuthenticationStatement AuthenticationMethod="urn:oasis:names:tc:SAML:1.0:am:password" '
        f'AuthenticationInstant="{start}">{subject}</saml:AuthenticationStatement>'
        "</saml:Assertion></samlp:Response></E:Body></E:Envelope>"
    )

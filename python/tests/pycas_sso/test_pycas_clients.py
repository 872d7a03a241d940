"""What every client does, on every library, with and without ``async``."""

from __future__ import annotations

import asyncio
import sys

import pytest
from pycas_fakes import CALLBACK, SERVICE, FakeCas, Said, Way, document, failure, login_pages, success

from casque.errors import CASError
from pycas_sso import CASClient
from pycas_sso.clients.core import CASClientBase
from pycas_sso.errors import (
    CASProxyFailure,
    CASServiceAuthenticationFailure,
    CASTransportError,
    CASUsageError,
)
from pycas_sso.schemas import CASLoginData, CASProxyData, CASServiceValidateData

TICKET = "ST-1-abc"
ATTRIBUTES = (
    "<cas:user>ada</cas:user><cas:attributes><cas:mail>ada@example.org</cas:mail><cas:group>a</cas:group>"
    "<cas:group>b</cas:group><cas:phone/></cas:attributes><cas:proxyGrantingTicket>PGTIOU-1-x</cas:proxyGrantingTicket>"
)
SHAPED = {"mail": "ada@example.org", "group": ["a", "b"], "phone": None}
LISTS = {"mail": ["ada@example.org"], "group": ["a", "b"], "phone": [""]}
PROXIED = success("<cas:user>ada</cas:user><cas:proxies><cas:proxy>https://p.example.org/</cas:proxy></cas:proxies>")
PROXY_TICKET = document("<cas:proxySuccess><cas:proxyTicket>PT-1-abc</cas:proxyTicket></cas:proxySuccess>")


def test_create_gives_the_client_of_the_library() -> None:
    classes = {"httpx": "CASClient_Httpx", "requests": "CASClient_Requests", "urllib": "CASClient_Urllib"}
    for library, name in classes.items():
        client = CASClient.create("https://cas", "https://app/", CALLBACK, http_lib=library)
        assert type(client).__name__ == name
        assert isinstance(client, CASClientBase)
        assert (client.provider, client.service_url, client.callback_url) == ("https://cas", "https://app/", CALLBACK)
        assert client.is_async is False
    aiohttp = CASClient.create("https://cas", "https://app/", CALLBACK, http_lib="aiohttp")
    assert type(aiohttp).__name__ == "CASClient_AIOHttp"
    assert aiohttp.is_async is True
    assert CASClient.create("https://cas", "https://app/", CALLBACK, True, http_lib="httpx").is_async is True
    with pytest.raises(ValueError, match="httpx, requests, aiohttp"):
        CASClient.create("https://cas", "https://app/", CALLBACK, http_lib="curl")


def test_without_a_library_the_standard_one_serves(monkeypatch: pytest.MonkeyPatch, cas: FakeCas) -> None:
    from pycas_sso import cas as module

    monkeypatch.setattr(module, "find_spec", lambda _: None)
    for library in module.SUPPORTED_HTTP_LIBS:
        monkeypatch.delitem(sys.modules, library, raising=False)
    cas.says("/serviceValidate", success())
    with CASClient.create(cas.url, SERVICE) as client:
        assert type(client).__name__ == "CASClient_Urllib"
        assert client.service_validate(TICKET).username == "ada"


def test_validate(way: Way, cas: FakeCas) -> None:
    cas.says("/validate", "yes\nada\n")
    data = way.ask(cas, "validate", TICKET, True)
    assert data == CASServiceValidateData(None, "ada")
    assert cas.seen[0].query == {"service": [CALLBACK], "ticket": [TICKET], "renew": ["true"]}
    assert way.ask(cas, "fetch_validate", TICKET) == "ada"
    assert cas.seen[1].query == {"service": [CALLBACK], "ticket": [TICKET]}


def test_validate_refused(way: Way, cas: FakeCas) -> None:
    for status in (200, 401):
        cas.says("/validate", "no\n\n", status)
        with pytest.raises(CASServiceAuthenticationFailure) as caught:
            way.ask(cas, "validate", TICKET)
        assert (caught.value.code, str(caught.value)) == ("VALIDATE_FAILED", "Ticket validation failed.")


def test_service_validate(way: Way, cas: FakeCas) -> None:
    cas.says("/serviceValidate", success(ATTRIBUTES))
    data = way.ask(cas, "service_validate", TICKET, "https://app.example.org/pgt", True)
    assert data == CASServiceValidateData(None, "ada", "PGTIOU-1-x", SHAPED)
    assert data.attributes == LISTS
    assert data.pgt_iou == "PGTIOU-1-x"
    assert isinstance(data.client, CASClientBase)
    assert cas.seen[0].query == {
        "service": [CALLBACK],
        "ticket": [TICKET],
        "pgtUrl": ["https://app.example.org/pgt"],
        "renew": ["true"],
    }
    cas.says("/p3/serviceValidate", success())
    assert way.ask(cas, "service_validate", TICKET, None, False, 3) == CASServiceValidateData(None, "ada")


def test_service_validate_refused(way: Way, cas: FakeCas) -> None:
    cas.says("/serviceValidate", failure("INVALID_TICKET", f"\n  Ticket '{TICKET}'\n not recognized\n"))
    client = way.create(cas.url)
    with pytest.raises(CASServiceAuthenticationFailure) as caught:
        way.run(client, ("service_validate", TICKET))
    error = caught.value
    assert str(error).startswith("The ticket provided was not valid")
    assert error.client is client
    assert (error.code, error.http_status) == ("INVALID_TICKET", 200)
    assert error.server_message.startswith("Ticket '")
    assert isinstance(error, CASError)


def test_fetch_service_validate(way: Way, cas: FakeCas) -> None:
    for path, arguments in (("/serviceValidate", ()), ("/p3/serviceValidate", (None, False, "3"))):
        cas.says(path, b"<whatever/>", 500)
        content = way.ask(cas, "fetch_service_validate", TICKET, *arguments)
        assert content == b"<whatever/>"
        assert isinstance(content, bytes)


def test_proxy_validate(way: Way, cas: FakeCas) -> None:
    for path, version in (("/proxyValidate", 2), ("/p3/proxyValidate", 3)):
        cas.says(path, PROXIED)
        data = way.ask(cas, "proxy_validate", "PT-1", None, False, version)
        assert data == CASServiceValidateData(None, "ada", proxies=["https://p.example.org/"])
        assert b"<cas:proxies>" in way.ask(cas, "fetch_proxy_validate", "PT-1", None, False, version)


def test_proxy(way: Way, cas: FakeCas) -> None:
    cas.says("/proxy", PROXY_TICKET)
    assert way.ask(cas, "proxy", "PGT-1", "https://target.example.org/") == CASProxyData(None, "PT-1-abc")
    assert cas.seen[0].query == {"pgt": ["PGT-1"], "targetService": ["https://target.example.org/"]}
    assert way.ask(cas, "fetch_proxy", "PGT-1", "https://target.example.org/") == PROXY_TICKET.encode()


def test_proxy_refused(way: Way, cas: FakeCas) -> None:
    cas.says("/proxy", document('<cas:proxyFailure code="INVALID_REQUEST">both\nare required</cas:proxyFailure>'))
    with pytest.raises(CASProxyFailure) as caught:
        way.ask(cas, "proxy", "PGT-1", "https://target.example.org/")
    assert str(caught.value) == "Not all of the required request parameters were present."
    assert (caught.value.code, caught.value.server_message) == ("INVALID_REQUEST", "both\nare required")


def test_login(way: Way, cas: FakeCas) -> None:
    login_pages(cas, {"ada": "secret"})
    good, bad = way.run(way.create(cas.url), ("login", "ada", "secret"), ("login", "ada", "wrong"))
    assert good == CASLoginData(None, True, 302, f"{SERVICE}?ticket=ST-1-ada")
    assert good.ticket == "ST-1-ada"
    assert bad == CASLoginData(None, False, 401)
    assert bad.ticket == ""


def test_logout(way: Way, cas: FakeCas) -> None:
    for status, good in ((200, True), (302, True), (404, False), (500, False)):
        cas.says("/logout", "", status, ("Location", "https://elsewhere.example.org/"))
        assert way.ask(cas, "logout") is good
    assert cas.seen[-1].query == {"service": [SERVICE]}
    assert len(cas.seen) == 4


def test_logout_ends_what_login_began(way: Way, cas: FakeCas) -> None:
    login_pages(cas, {"ada": "secret"})
    cas.says("/logout", "")
    way.run(way.create(cas.url), ("login", "ada", "secret"), ("logout",))
    assert "TGC=ada" in cas.seen[-1].cookies


def test_no_answer(way: Way) -> None:
    client = way.create("http://127.0.0.1:1/cas")
    with pytest.raises(CASTransportError) as caught:
        way.run(client, ("service_validate", TICKET))
    assert isinstance(caught.value, CASError)
    assert TICKET not in str(caught.value)
    assert TICKET not in repr(caught.value)


def test_http_is_the_librarys_own_object(cas: FakeCas) -> None:
    httpx = pytest.importorskip("httpx")
    requests = pytest.importorskip("requests")
    aiohttp = pytest.importorskip("aiohttp")
    cas.says("/serviceValidate", success())
    for library, kind in (("httpx", httpx.Client), ("requests", requests.Session)):
        with CASClient.create(cas.url, SERVICE, http_lib=library) as client:
            assert isinstance(client.http, kind)
            client.http.headers["X-Ours"] = "1"
            assert client.service_validate(TICKET).username == "ada"
        assert cas.seen[-1].headers["x-ours"] == "1"

    async def asynchronous() -> None:
        for library, kind in (("httpx", httpx.AsyncClient), ("aiohttp", aiohttp.ClientSession)):
            async with CASClient.create(cas.url, SERVICE, http_lib=library, is_async=True) as client:
                assert isinstance(client.http, kind)
                client.http.headers["X-Ours"] = "2"
                assert (await client.aservice_validate(TICKET)).username == "ada"
            assert cas.seen[-1].headers["x-ours"] == "2"

    asyncio.run(asynchronous())


def test_http_of_the_default_client_is_used_once_it_is_touched(cas: FakeCas, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("httpx")
    cas.says("/serviceValidate", success())
    httpx = sys.modules.pop("httpx")
    try:
        with CASClient.create(cas.url, SERVICE) as client:
            assert client.service_validate(TICKET).username == "ada"
            assert "httpx" not in cas.seen[-1].headers.get("user-agent", "")
            sys.modules["httpx"] = httpx
            client.http.headers["X-Ours"] = "1"
            assert client.service_validate(TICKET).username == "ada"
            assert cas.seen[-1].headers["x-ours"] == "1"
    finally:
        sys.modules["httpx"] = httpx


def test_a_subclass_that_fetches_itself() -> None:
    class Mine(CASClientBase):
        def fetch_service_validate(self, ticket, pgt_url=None, renew=False, version=2):  # type: ignore[override]
            return success(f"<cas:user>{ticket.lower()}</cas:user>").encode()

    assert Mine("https://cas", SERVICE, CALLBACK).service_validate("ST-1").username == "st-1"
    for method in ("close", "logout"):
        with pytest.raises(NotImplementedError):
            getattr(Mine("https://cas", SERVICE, CALLBACK), method)()


def test_closing_twice_and_unused(way: Way, cas: FakeCas) -> None:
    assert way.run(way.create(cas.url)) == []
    if way.is_async:
        asyncio.run(way.create(cas.url).aclose())
    else:
        way.create(cas.url).close()


def test_an_asynchronous_call_on_a_client_that_was_not_told(cas: FakeCas) -> None:
    pytest.importorskip("httpx")
    cas.says("/serviceValidate", success())

    async def main() -> str:
        client = CASClient.create(cas.url, SERVICE, http_lib="httpx")
        data = await client.aservice_validate(TICKET)
        await client.aclose()
        return data.username

    assert asyncio.run(main()) == "ada"


def test_other_services(way: Way, cas: FakeCas) -> None:
    cas.says("/serviceValidate", success())
    cas.says("/validate", "yes\nada\n")
    cas.says("/proxyValidate", success())
    deep = "https://app.example.org/deep?link=1"
    named = {"service": deep}
    way.run(
        way.create(cas.url),
        ("validate", TICKET, named),
        ("service_validate", TICKET, named),
        ("proxy_validate", TICKET, named),
        ("fetch_saml_validate", TICKET, named),
    )
    assert [seen.query.get("service", seen.query.get("TARGET")) for seen in cas.seen] == [[deep]] * 4


def test_an_answer_without_end_is_cut_off(way: Way, cas: FakeCas) -> None:
    cas.answers["/serviceValidate"] = Said(success("<cas:user>ada</cas:user>" + " " * 600_000))
    with pytest.raises(CASError) as caught:
        way.ask(cas, "service_validate", TICKET)
    assert caught.value.error_class == "too_large"


def test_misuse_is_named() -> None:
    client = CASClient.create("https://cas", SERVICE, http_lib="httpx", is_async=True)
    with pytest.raises(CASUsageError, match="async with"), client:
        pass
    with pytest.raises(CASUsageError, match="begins with `a`"):
        client.service_validate(TICKET)
    with pytest.raises(CASUsageError, match="fragment"):
        CASClient.create("https://cas#top", SERVICE)

"""What is returned and raised, as objects."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from datetime import datetime, timezone

import pytest

from casque import errors as casque
from pycas_sso import CASClient, errors
from pycas_sso.errors import AUTHENTICATION_ERRORS, PROXY_ERRORS, CASProxyFailure, CASServiceAuthenticationFailure
from pycas_sso.schemas import CASLoginData, CASLogoutData, CASProxyData, CASServiceValidateData
from pycas_sso.xml import XML_CAS_NS, XML_SAML_2_NS, XML_SAML_NS, XML_SAML_VALIDATE_TEMPLATE

SECRET = "1-s3cr3t"


@pytest.fixture
def client():
    return CASClient.create("https://cas.example.org", "https://app.example.org/", http_lib="urllib")


def results(client):
    return [
        CASLoginData(client, True, 302, f"https://app.example.org/?ticket=ST-{SECRET}"),
        CASServiceValidateData(client, "ada", f"PGTIOU-{SECRET}", {"group": ["a", "b"], "x": None}, ["https://p/"]),
        CASProxyData(client, f"PT-{SECRET}"),
        CASLogoutData("LR-1", datetime(2026, 1, 2, 3, 4, 5), f"ST-{SECRET}"),
    ]


def test_login_data(client) -> None:
    data = CASLoginData(client, False, 200)
    assert (data.client, data.success, data.http_status, data.redirect_url, data.ticket) == (client, False, 200, "", "")
    assert CASLoginData(client, True, 302, "https://a/?ticket=ST-1").ticket == "ST-1"


def test_service_validate_data(client) -> None:
    data = CASServiceValidateData(client, "ada")
    assert (data.proxy_granting_ticket, data.attrs, data.proxies) == (None, None, None)
    assert (data.pgt_iou, data.attributes) == (None, {})
    shaped = CASServiceValidateData(client, "ada", attrs={"one": "1", "two": ["1", None], "none": None})
    assert shaped.attributes == {"one": ["1"], "two": ["1", ""], "none": [""]}


def test_proxy_data(client) -> None:
    assert CASProxyData(client, "PT-1").proxy_ticket == "PT-1"


def test_logout_data() -> None:
    data = CASLogoutData("LR-1", datetime(2026, 1, 2, 3, 4, 5), "ST-1")
    assert data.issued_at_utc == datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    assert CASLogoutData("LR-1", "yesterday", "ST-1").issued_at_utc is None


def test_results_travel_without_their_client(client) -> None:
    for data in results(client):
        again = pickle.loads(pickle.dumps(data))
        assert again == data
        assert type(again) is type(data)
        assert getattr(again, "client", None) is None
        assert SECRET not in repr(data)
        for twin in (copy.copy(data), copy.deepcopy(data), dataclasses.replace(data)):
            assert twin == data
            assert getattr(twin, "client", None) is getattr(data, "client", None)
        as_dict = dataclasses.asdict(data)
        as_dict.pop("client", None)
        assert json.dumps(as_dict, default=str)
    assert pickle.loads(pickle.dumps(results(client)[0])).ticket == f"ST-{SECRET}"
    assert dataclasses.fields(CASServiceValidateData)[0].name == "client"


def test_authentication_failure(client) -> None:
    for code, text in AUTHENTICATION_ERRORS.items():
        error = CASServiceAuthenticationFailure(client, code, "words of the server")
        assert (str(error), error.code, error.server_message) == (text, code, "words of the server")
        assert (error.client, error.http_status) == (client, None)
        assert isinstance(error, casque.AuthenticationFailure)
    assert str(CASServiceAuthenticationFailure(client, "UNAUTHORIZED_SERVICE", " not\nhere ")) == "not here"
    assert str(CASServiceAuthenticationFailure(client, "X", None)) == ""
    assert str(CASServiceAuthenticationFailure(client, None)) == ""
    assert AUTHENTICATION_ERRORS.keys() >= {"INVALID_TICKET", "INVALID_SERVICE", "INTERNAL_ERROR"}


def test_proxy_failure(client) -> None:
    for code, text in PROXY_ERRORS.items():
        assert str(CASProxyFailure(client, code, "words")) == text
    error = CASProxyFailure(client, "INVALID_TICKET", "no such PGT-1-abcdefghijklmnop")
    assert isinstance(error, casque.ProxyFailure)
    assert "abcdefghijklmnop" not in str(error) + repr(error)


def test_errors_travel_without_their_client(client) -> None:
    for kind in (errors.CASServiceAuthenticationFailure, errors.CASProxyFailure, errors.CASResponseError):
        error = kind(client, "INVALID_TICKET", "words", http_status=200)
        again = pickle.loads(pickle.dumps(error))
        assert (str(again), again.code, again.server_message, again.http_status) == (
            str(error),
            "INVALID_TICKET",
            "words",
            200,
        )
        assert again.client is None
    error = pickle.loads(pickle.dumps(errors.transport_error(OSError("no route"))))
    assert "no route" in str(error)
    assert pickle.loads(pickle.dumps(errors.CASUsageError("no"))).args == ("no",)


def test_transport_errors_are_the_librarys_too() -> None:
    httpx = pytest.importorskip("httpx")
    requests = pytest.importorskip("requests")
    aiohttp = pytest.importorskip("aiohttp")
    for cause in (
        httpx.ConnectError(f"refused ST-{SECRET}"),
        requests.ConnectionError(f"/x?ticket=ST-{SECRET}"),
        aiohttp.ClientPayloadError("broken"),
    ):
        error = errors.transport_error(cause)
        assert isinstance(error, type(cause))
        assert isinstance(error, errors.CASTransportError)
        assert isinstance(error, casque.TransportError)
        assert error.cause is cause
        assert SECRET not in str(error) + repr(error)


def test_constants() -> None:
    assert XML_CAS_NS == {"cas": "http://www.yale.edu/tp/cas"}
    assert XML_SAML_NS["samlp"] == "urn:oasis:names:tc:SAML:1.0:protocol"
    assert XML_SAML_2_NS["saml"] == "urn:oasis:names:tc:SAML:2.0:assertion"
    assert XML_SAML_NS["soap"] == XML_SAML_2_NS["soap"] == "http://schemas.xmlsoap.org/soap/envelope/"
    filled = XML_SAML_VALIDATE_TEMPLATE.format(request_id="_1", issued_at="2026-01-02T03:04:05Z", ticket="ST-1")
    assert '"_1"' in filled
    assert ">ST-1<" in filled
    from pycas_sso.cas import SUPPORTED_HTTP_LIBS

    assert SUPPORTED_HTTP_LIBS == ["httpx", "requests", "aiohttp"]

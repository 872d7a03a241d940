"""Addresses and what is in them."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from pycas_sso import CASClient

CAS = "https://cas.example.org/cas"
SERVICE = "https://app.example.org/"
CALLBACK = "https://app.example.org/login?next=/a b&x=ü"
PARAMETERS = {"service": CALLBACK, "ticket": "ST-1"}


@pytest.fixture
def client():
    with CASClient.create(CAS, SERVICE, CALLBACK) as client:
        yield client


def test_login_form_url(client) -> None:
    service = urlencode({"service": CALLBACK})
    assert client.login_form_url() == f"{CAS}/login?{service}"
    assert client.login_form_url(True) == f"{CAS}/login?{service}&gateway=true"
    assert client.login_form_url(renew=True) == f"{CAS}/login?{service}&renew=true"
    assert client.login_form_url(False, False, True) == f"{CAS}/login?{service}&method=POST"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("login_url", "/login"),
        ("logout_url", "/logout"),
        ("validate_url", "/validate"),
        ("service_validate_url", "/serviceValidate"),
        ("proxy_validate_url", "/proxyValidate"),
        ("proxy_url", "/proxy"),
        ("saml_validate_url", "/samlValidate"),
    ],
)
def test_plain_urls(client, method: str, path: str) -> None:
    assert getattr(client, method)() == f"{CAS}{path}"
    assert getattr(client, method)(**PARAMETERS) == f"{CAS}{path}?{urlencode(PARAMETERS)}"


def test_urls_of_version_3(client) -> None:
    for version in (3, "3"):
        assert client.service_validate_url(version) == f"{CAS}/p3/serviceValidate"
        assert client.proxy_validate_url(version, **PARAMETERS) == f"{CAS}/p3/proxyValidate?{urlencode(PARAMETERS)}"
    for version in (1, "4", None):
        with pytest.raises(ValueError, match="can be 2 or 3"):
            client.service_validate_url(version)


def test_ticket_from_url(client) -> None:
    assert client.ticket_from_url("https://app.example.org/login?next=%2F&ticket=ST-1-abc") == "ST-1-abc"
    for url in (
        "",
        "https://app.example.org/login",
        "https://app.example.org/login?ticket=",
        "https://app.example.org/login?Ticket=ST-1",
        "https://app.example.org/login?ticket=concert",
        "https://app.example.org/login#?ticket=ST-1",
    ):
        assert client.ticket_from_url(url) == ""

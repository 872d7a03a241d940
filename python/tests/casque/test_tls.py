"""TLS, by every HTTP library."""

import subprocess
import sys

import pytest
import trustme

import casque
from casque.http import _tls
from casque.testing import FakeCas

SERVICE = "https://app.example.org/"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def roots(authority, tmp_path_factory):
    file = tmp_path_factory.mktemp("tls") / "roots.pem"
    authority.cert_pem.write_to_path(file)
    return str(file)


@pytest.fixture
def server(authority):
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with FakeCas(tls=context) as server:
        yield server


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
async def test_roots_of_ones_own(both, server, roots):
    async with both(server.url, SERVICE, verify=roots) as cas:
        assert (await cas.validate(server.ticket("ada", SERVICE))).user == "ada"
    async with both(server.url, SERVICE, verify=False) as cas:
        assert (await cas.validate(server.ticket("ada", SERVICE))).user == "ada"


async def test_a_stranger_is_not_spoken_to(both, server):
    async with both(server.url, SERVICE) as cas:
        with pytest.raises(casque.TransportError) as raised:
            await cas.validate("ST-1-abc")
    assert raised.value.__cause__ is not None
    assert server.requests == []


async def test_another_host_is_not_spoken_to(both, server, roots):
    async with both(server.url.replace("localhost", "127.0.0.1"), SERVICE, verify=roots) as cas:
        with pytest.raises(casque.TransportError):
            await cas.validate("ST-1-abc")
    assert server.requests == []


def test_the_context_is_made_once(roots):
    assert _tls.context(roots, None) is _tls.context(roots, None)
    assert _tls.context(True, None) is _tls.context(True, None)
    assert _tls.context(True, None) is not _tls.context(roots, None)


@pytest.mark.parametrize(("verify", "cert"), [("/nowhere.pem", None), (5, None), (True, "/nowhere.pem")])
def test_misuse(verify, cert):
    with pytest.raises(casque.Misuse, match="verify"):
        _tls.context(verify, cert)


@pytest.mark.parametrize("library", ["urllib", "httpx", "requests"])
def test_plain_http_reads_no_certificates(library):
    program = f"""
import ssl, sys
def counting(*arguments, **keywords):
    raise AssertionError("certificates are read")
ssl.SSLContext.load_verify_locations = counting
ssl.SSLContext.load_default_certs = counting
ssl.SSLContext.set_default_verify_paths = counting
from casque import Client
from casque.testing import FakeCas
with FakeCas() as server, Client(server.url, "{SERVICE}", http="{library}") as cas:
    print(cas.validate(server.ticket("ada", "{SERVICE}")).user)
"""
    if library == "requests":
        # It reads them when it is imported, once for a process, whatever is done.
        program = "import requests\n" + program
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (found.stdout, found.stderr) == ("ada\n", "")

"""TLS: certificates are checked, and read once for all clients, when the first https request needs them."""

from __future__ import annotations

import ssl
import subprocess
import sys

import pytest
import trustme
from pycas_fakes import Way

from casque.testing import FakeCas as TlsCas
from pycas_sso.clients import tls
from pycas_sso.errors import CASTransportError

SERVICE = "https://app.example.org/"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def roots(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("tls") / "roots.pem"
    authority.cert_pem.write_to_path(str(file))
    return str(file)


@pytest.fixture
def server(authority: trustme.CA):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with TlsCas(tls=context) as server:
        yield server


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_certificates(way: Way, server: TlsCas, roots: str) -> None:
    for verify in (roots, False):
        ticket = server.ticket("ada", SERVICE)
        client = way.create(server.url, SERVICE, None, verify=verify)
        assert way.run(client, ("service_validate", ticket))[0].username == "ada"
    with pytest.raises(CASTransportError):
        way.run(way.create(server.url, SERVICE, None), ("service_validate", server.ticket("ada", SERVICE)))


def test_roots_that_are_not_there(way: Way, server: TlsCas) -> None:
    with pytest.raises((OSError, ValueError)):
        way.run(way.create(server.url, SERVICE, None, verify="/no/such/file"), ("service_validate", "ST-1"))


def test_certificates_are_read_once_and_late(roots: str) -> None:
    assert tls.shared(True) is tls.shared(True)
    assert tls.shared(roots) is tls.shared(roots)
    context = tls.shared(True)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (tls.shared(False).verify_mode, tls.shared(False).check_hostname) == (ssl.CERT_NONE, False)
    own = ssl.create_default_context()
    assert tls.shared(own) is own
    script = (
        "from pycas_sso.cas import CASClient\n"
        "from pycas_sso.clients import tls\n"
        "for library in ('default', 'httpx', 'requests', 'urllib'):\n"
        "    client = CASClient.create('https://cas', 'https://app', http_lib=library)\n"
        "    client.login_form_url(), client.http\n"
        "print(tls.shared(True)._ready, len(tls.shared(True).get_ca_certs()))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "0"]

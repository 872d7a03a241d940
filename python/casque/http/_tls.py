"""TLS contexts, made once for a process and the options that shape them: reading the root certificates takes 16 ms."""

from __future__ import annotations

import os
import ssl
from functools import cache
from typing import Any

from ..errors import Misuse


def context(verify: Any, cert: Any) -> ssl.SSLContext:
    """The context for ``verify`` and ``cert``, which mean what they mean to requests and httpx."""
    if isinstance(verify, ssl.SSLContext):
        return verify
    if isinstance(verify, os.PathLike):
        verify = os.fspath(verify)
    if isinstance(cert, list):
        cert = tuple(cert)
    if not isinstance(verify, (bool, str)):
        raise Misuse("verify: True, False, the path of a file or folder with root certificates, or an ssl.SSLContext")
    return _made(verify, cert)


@cache
def _made(verify: bool | str, cert: Any) -> ssl.SSLContext:
    try:
        if verify is False:
            made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            made.check_hostname = False
            made.verify_mode = ssl.CERT_NONE
        elif verify is True:
            made = ssl.create_default_context()
            if not made.get_ca_certs() and not os.environ.get("SSL_CERT_FILE"):
                _add_certifi(made)
        elif os.path.isdir(verify):
            made = ssl.create_default_context(capath=verify)
        else:
            made = ssl.create_default_context(cafile=verify)
        if isinstance(cert, (str, os.PathLike)):
            made.load_cert_chain(cert)
        elif cert is not None:
            made.load_cert_chain(*cert)
    except (OSError, TypeError) as error:
        raise Misuse(f"verify or cert: {type(error).__name__}: {error}") from error
    made.set_alpn_protocols(["http/1.1"])
    return made


@cache
def nobody() -> ssl.SSLContext:
    """A context that trusts no server: for a client that is made for plain http only."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _add_certifi(context: ssl.SSLContext) -> None:
    """Where the platform has no root certificates of its own, those of certifi, if it is installed."""
    try:
        import certifi
    except ImportError:
        return
    context.load_verify_locations(cafile=certifi.where())

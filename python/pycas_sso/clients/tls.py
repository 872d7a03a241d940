"""TLS contexts that are made once for a process, and read certificates when a connection first needs them."""

from __future__ import annotations

import os
import ssl
import sys
import threading
from functools import cache
from typing import Any


def shared(verify: Any) -> Any:
    """What httpx is given for ``verify``: the same context for the same setting."""
    if isinstance(verify, os.PathLike):
        verify = os.fspath(verify)
    return _shared(verify) if isinstance(verify, (bool, str)) else verify


@cache
def _shared(verify: bool | str) -> ssl.SSLContext:
    context = _Later(ssl.PROTOCOL_TLS_CLIENT)
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif verify is not True and not os.path.exists(verify):
        raise OSError(f"verify: there is no file or folder {verify!r}")
    if sys.version_info >= (3, 13):
        # As ssl.create_default_context() does.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    context.roots = verify
    return context


class _Later(ssl.SSLContext):
    """Reads its root certificates, which takes most of the time a client costs, before the first handshake."""

    roots: bool | str = False
    _lock = threading.Lock()
    _ready = False

    def _read(self) -> None:
        with self._lock:
            if self._ready:
                return
            if self.roots is True:
                self._read_default()
            elif self.roots is not False and os.path.isdir(self.roots):
                self.load_verify_locations(capath=self.roots)
            elif self.roots is not False:
                self.load_verify_locations(cafile=self.roots)
            self._ready = True

    def _read_default(self) -> None:
        """As httpx does: those the environment names, else certifi's, else the platform's."""
        file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
        if file or folder:
            self.load_verify_locations(cafile=file or None, capath=folder or None)
            return
        try:
            import certifi
        except ImportError:
            self.load_default_certs()
        else:
            self.load_verify_locations(cafile=certifi.where())

    def wrap_socket(self, *args: Any, **keywords: Any) -> ssl.SSLSocket:
        self._read()
        return super().wrap_socket(*args, **keywords)

    def wrap_bio(self, *args: Any, **keywords: Any) -> ssl.SSLObject:
        self._read()
        return super().wrap_bio(*args, **keywords)

"""A CAS server that says what a test tells it to say, for every library there is a client for."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pycas_fakes import WAYS, FakeCas, Seen, Way

from pycas_sso.clients import core


@pytest.fixture
def cas() -> Iterator[FakeCas]:
    fake = FakeCas()

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            said = fake.answer(Seen(self.command, parts.path, parse_qs(parts.query), headers, body))
            content = said.body.encode() if isinstance(said.body, str) else said.body
            self.send_response(said.status)
            for name, value in said.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = handle_one

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """A client that hangs up, as some tests want it to."""

    server = Server(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}/cas"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield fake
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=WAYS, ids=lambda way: f"{way[0]}-{'async' if way[1] else 'sync'}")
def way(request: pytest.FixtureRequest) -> Way:
    library, is_async = request.param
    if library not in ("default", "urllib") and importlib.util.find_spec(library) is None:
        pytest.skip(f"skipped: {library} is not installed")
    return Way(library, is_async)


@pytest.fixture(autouse=True)
def as_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has been warned about, and the environment says nothing."""
    monkeypatch.setattr(core, "_warned", set())
    monkeypatch.delenv(core.VALIDATE_WITH_VARIABLE, raising=False)

"""What the tests share: a server, and a client of either side and any library."""

import os
from pathlib import Path

import pytest

from casque import AsyncClient, Client
from casque.testing import fake_cas, find_casque

# For casque_demo: what this project has built, where nothing else is named.
if "CASQUE_BIN" not in os.environ:
    target = Path(__file__).parents[2] / "target"
    built = [target / kind / "casque" for kind in ("release", "debug") if (target / kind / "casque").is_file()]
    if built and find_casque() is None:
        os.environ["CASQUE_BIN"] = str(max(built, key=lambda program: program.stat().st_mtime))

SYNC = ["urllib", "httpx", "requests"]
ASYNC = ["urllib", "httpx", "aiohttp"]
SIDES = [f"sync-{name}" for name in SYNC] + [f"async-{name}" for name in ASYNC]


cas_server = pytest.fixture(fake_cas)


@pytest.fixture(params=SIDES)
def side(request):
    return request.param


@pytest.fixture
def both(side):
    """Makes a client of this side."""
    return lambda *arguments, **options: Both(side, *arguments, **options)


class Both:
    """A client of either side, asked the same way."""

    def __init__(self, side: str, server: str, service: str | None = None, **options):
        side, library = side.split("-")
        self.is_async = side == "async"
        options = {"http": library, "timeout": 5.0, **options}
        self.client = AsyncClient(server, service, **options) if self.is_async else Client(server, service, **options)

    async def validate(self, *args, **keywords):
        found = self.client.validate(*args, **keywords)
        return await found if self.is_async else found

    async def proxy_ticket(self, *args):
        found = self.client.proxy_ticket(*args)
        return await found if self.is_async else found

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        if self.is_async:
            await self.client.aclose()
        else:
            self.client.close()

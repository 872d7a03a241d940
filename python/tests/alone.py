"""Run by scripts/python-tests where the wheel is installed and nothing else: the standard library will do."""

import asyncio
import importlib.metadata
import sys

from casque import AsyncClient, AuthenticationFailure, Client
from casque.testing import FakeCas
from pycas_sso import CASClient

SERVICE = "https://app.example.org/login"


async def asynchronously(server: FakeCas) -> str:
    async with AsyncClient(server.url, SERVICE) as cas:
        return (await cas.validate(server.ticket("bob", SERVICE))).user


def main() -> None:
    installed = sorted(found.metadata["Name"] for found in importlib.metadata.distributions())
    assert installed == ["casque"], installed
    with FakeCas() as server:
        with Client(server.url, SERVICE) as cas:
            ticket = server.ticket("ada", SERVICE, {"mail": ["ada@example.org"]})
            assert cas.validate(ticket).attributes == {"mail": ["ada@example.org"]}
            try:
                cas.validate(ticket)
            except AuthenticationFailure as refusal:
                assert refusal.code == "INVALID_TICKET"
            else:
                raise AssertionError("a ticket counts once")
        assert asyncio.run(asynchronously(server)) == "bob"
        with CASClient.create(server.url, SERVICE) as cas:
            assert cas.service_validate(server.ticket("ada", SERVICE)).username == "ada"
    print(f"casque {importlib.metadata.version('casque')} works on Python {sys.version.split()[0]} with nothing else")


if __name__ == "__main__":
    main()

"""Fixtures for pytest, there wherever casque is installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

# Every pytest that runs beside casque imports this module, so it imports nothing before it is used.
if TYPE_CHECKING:
    from .testing import Demo, FakeCas


@pytest.fixture(scope="session")
def casque_demo() -> Iterator[Demo]:
    """A real CAS server: see :class:`casque.testing.Demo`.

    Where there is no program ``casque`` the test is skipped, or fails if CI is set.
    """
    from .testing import Demo

    try:
        demo = Demo()
    except FileNotFoundError as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(f"skipped: {missing}")
    with demo:
        yield demo


@pytest.fixture
def fake_cas() -> Iterator[FakeCas]:
    """A CAS server inside the test, with faults on demand: see :class:`casque.testing.FakeCas`."""
    from .testing import FakeCas

    with FakeCas() as server:
        yield server

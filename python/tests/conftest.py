import pytest

from casque.testing import fake_cas

cas_server = pytest.fixture(fake_cas)

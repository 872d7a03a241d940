"""The address for proxy-granting tickets."""

import threading

import pytest

import casque
from casque import MemoryPgtStore, PgtReceptor

IOU, PGT = "PGTIOU-1-abc", "PGT-1-xyz"


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_get_and_post():
    # R-194, and EU Login, which posts.
    receptor = PgtReceptor()
    assert receptor.receive(f"pgtIou={IOU}&pgtId={PGT}").status == 200
    assert receptor.take(IOU) == PGT
    assert receptor.take(IOU) is None
    answer = receptor.receive("", f"pgtIou={IOU}&pgtId={PGT}".encode())
    assert (answer.status, answer.content_type) == (200, "application/xml")
    assert b"proxySuccess" in answer.body
    assert receptor.take(IOU) == PGT
    assert receptor.take(None) is None


@pytest.mark.parametrize("query", ["", "x=1"])
def test_the_probe_is_answered(query):
    # A server calls without tickets first, and wants 200.
    assert PgtReceptor().receive(query).status == 200


@pytest.mark.parametrize(
    ("query", "body", "status"),
    [
        (f"pgtIou={IOU}", b"", 400),
        (f"pgtId={PGT}", b"", 400),
        (f"pgtIou={IOU}&pgtId={PGT}&pgtId=PGT-2", b"", 400),
        (f"pgtIou={IOU}&pgtId={PGT}", f"pgtIou={IOU}".encode(), 400),
        (f"pgtIou={IOU}&pgtId=ST-1-x", b"", 400),
        (f"pgtIou={PGT}&pgtId={PGT}", b"", 400),
        (f"pgtIou={IOU}&pgtId=PGT-1%26service=x", b"", 400),
        ("", b"\xff", 400),
        ("&".join(f"a{n}=1" for n in range(100)), b"", 400),
        ("", b"x" * 10_000, 413),
    ],
)
def test_anything_else_is_refused(query, body, status):
    receptor = PgtReceptor()
    assert receptor.receive(query, body).status == status
    assert receptor.take(IOU) is None


def test_nobody_can_replace_a_ticket():
    receptor = PgtReceptor()
    receptor.receive(f"pgtIou={IOU}&pgtId={PGT}")
    assert receptor.receive(f"pgtIou={IOU}&pgtId=PGT-9-evil").status == 200
    assert receptor.take(IOU) == PGT


def test_the_store_is_bounded_in_time_and_number():
    clock = Clock()
    store = MemoryPgtStore(limit=2, clock=clock)
    receptor = PgtReceptor(store, lifetime=60)
    for n in range(3):
        receptor.receive(f"pgtIou=PGTIOU-{n}&pgtId=PGT-{n}")
    assert len(store) == 2
    assert receptor.take("PGTIOU-0") is None
    assert receptor.take("PGTIOU-1") == "PGT-1"
    clock.now += 60
    assert receptor.take("PGTIOU-2") is None
    assert store.create(IOU, PGT, 60)
    assert not store.create(IOU, "PGT-2", 60)
    clock.now += 61
    assert store.create(IOU, "PGT-3", 60)
    assert "PGT" not in repr(store).replace("MemoryPgtStore", "")


def test_one_taker_wins():
    store, won = MemoryPgtStore(), []
    for n in range(50):
        store.create(IOU, f"PGT-{n}", 60)
        gate = threading.Barrier(4)

        def take(gate=gate):
            gate.wait()
            if (found := store.take(IOU)) is not None:
                won.append(found)

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert won == [f"PGT-{n}" for n in range(50)]


def test_misuse():
    with pytest.raises(casque.Misuse):
        MemoryPgtStore(limit=0)
    with pytest.raises(casque.Misuse):
        PgtReceptor(lifetime=0)

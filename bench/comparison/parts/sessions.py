"""How throughput and memory take to more and more live sessions."""

import contextlib
import sqlite3
import time

from .. import load, stores
from ..paths import say
from ..servers import Casque, Live, temporary
from . import ratios, spread

LEVELS = (1_000, 10_000, 100_000, 1_000_000)
# Sessions that the load itself uses; each begins by a login.
USED = 100
# Logins between which memory is weighed.
WEIGHED = (10_000, 60_000)


def measure(timing):
    quick = timing.rounds == 1
    levels = LEVELS[:3] if quick else LEVELS
    found = {"levels": levels, "sessions_used": USED, "weight": weigh(2000, 10_000) if quick else weigh(*WEIGHED)}
    for store, start in {"memory": in_memory, "SQLite": on_sqlite, "PostgreSQL": on_postgres}.items():
        reason = stores.missing(store)
        if reason:
            say(f"left out: {store}: {reason}")
            found[store] = {"left_out": reason}
            continue
        with contextlib.ExitStack() as stack:
            running = {}
            for level in levels:
                began = time.monotonic()
                running[level] = stack.enter_context(start(level))
                say(f"  {store}: {level:,} sessions are there after {time.monotonic() - began:.1f} s")
            found[store] = in_turn(running, timing)
    return found


def in_turn(running, timing):
    """Each level once in each round, so that a machine whose speed drifts slows all alike."""
    rates = {level: [] for level in running}
    for number in range(timing.rounds):
        order = list(running) if number % 2 == 0 else list(reversed(running))
        for level in order:
            options = {"warm_up": timing.warm_up, "sessions": USED if timing.rounds > 1 else 8}
            rates[level].append(load.rate_of(load.run("sso", running[level], timing.seconds, **options)))
            time.sleep(timing.rest)
    for level, values in rates.items():
        say(f"    {level:>9,}: {spread(values)['median']:,.0f}/s")
    least, most = min(rates), max(rates)
    return {
        "sso_per_second": {str(level): spread(values) for level, values in rates.items()},
        "most_against_least": ratios(rates[most], rates[least]),
    }


def weigh(few, many):
    """Real logins, each with one service, on the memory store."""
    with Casque("memory").start() as running:
        time.sleep(1)
        idle = running.mib()[0]
        load.run("login", running, 120, warm_up=0, count=few)
        before = running.mib()[0]
        load.run("login", running, 120, warm_up=0, count=many - few)
        time.sleep(1)
        after = running.mib()[0]
    each = (after - before) * 1024 * 1024 / (many - few)
    say(f"  idle {idle:.1f} MiB; {each:.0f} bytes for each further session")
    return {"idle_mib": idle, "mib": {str(few): before, str(many): after}, "bytes_per_session": each}


def in_memory(level):
    return Live(level).start()


@contextlib.contextmanager
def on_sqlite(level):
    """One session is begun by its person; the others are copies of its rows."""
    contestant = Casque("SQLite")
    with temporary() as folder:
        contestant.prepare(folder, None)
        with contestant.launch(folder, None) as running:
            load.run("sso", running, 1, warm_up=0, count=1, sessions=1)
            with contextlib.closing(sqlite3.connect(folder / "casque.db", isolation_level=None)) as database:
                database.execute("PRAGMA cache_size = -400000")
                database.execute("BEGIN IMMEDIATE")
                for statement in COPIES_IN_SQLITE:
                    database.execute(statement.format(level=level - 1))
                database.execute("COMMIT")
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            yield running


@contextlib.contextmanager
def on_postgres(level):
    contestant = Casque("PostgreSQL")
    with temporary() as folder, stores.Postgres(folder) as store:
        contestant.prepare(folder, store)
        with contestant.launch(folder, store) as running:
            load.run("sso", running, 1, warm_up=0, count=1, sessions=1)
            for statement in [*COPIES_IN_POSTGRES, "VACUUM ANALYZE", "CHECKPOINT"]:
                store.sql(statement.format(level=level - 1))
            yield running


COPIES_IN_SQLITE = [
    """WITH RECURSIVE n(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM n WHERE number < {level})
    INSERT INTO record (key, kind, deadline, value) SELECT randomblob(32), kind, deadline, value
    FROM (SELECT * FROM record WHERE kind = 'tgt' LIMIT 1), n""",
    """WITH RECURSIVE n(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM n WHERE number < {level})
    INSERT INTO member (key, member, kind, deadline) SELECT randomblob(32), member, kind, deadline
    FROM (SELECT * FROM member WHERE kind = 'visits' LIMIT 1), n""",
]
COPIES_IN_POSTGRES = [
    """INSERT INTO casque.record (key, kind, deadline, value)
    SELECT sha256(('tgt' || number)::bytea), kind, deadline, value
    FROM (SELECT * FROM casque.record WHERE kind = 'tgt' LIMIT 1) AS one, generate_series(1, {level}) AS number""",
    """INSERT INTO casque.member (key, digest, member, kind, deadline)
    SELECT sha256(('visits' || number)::bytea), digest, member, kind, deadline
    FROM (SELECT * FROM casque.member WHERE kind = 'visits' LIMIT 1) AS one, generate_series(1, {level}) AS number""",
]

"""People and their sessions in SQLite."""

import hashlib
import secrets
import sqlite3
import time
from contextlib import contextmanager

SCHEMA = """
CREATE TABLE IF NOT EXISTS people (
    name TEXT PRIMARY KEY,
    mail TEXT NOT NULL,
    first_login TEXT NOT NULL DEFAULT (datetime()),
    logins INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY,
    ticket TEXT NOT NULL,
    person TEXT NOT NULL REFERENCES people,
    ends INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS sessions_by_ticket ON sessions (ticket);
"""

LIFETIME = 8 * 60 * 60


class People:
    def __init__(self, file):
        self._file = file
        with self._transaction() as database:
            database.executescript(SCHEMA)

    def begin_session(self, name, mail, ticket):
        """Create the person at the first login, and a session that this ticket ends."""
        session = secrets.token_urlsafe(32)
        with self._transaction() as database:
            database.execute(
                "INSERT INTO people (name, mail) VALUES (?, ?) "
                "ON CONFLICT DO UPDATE SET mail = excluded.mail, logins = logins + 1",
                (name, mail),
            )
            database.execute("DELETE FROM sessions WHERE ends <= ?", (time.time(),))
            database.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?)",
                (digest(session), digest(ticket), name, int(time.time()) + LIFETIME),
            )
        return session

    def of_session(self, session):
        """Whose session it is, or None."""
        with self._transaction() as database:
            row = database.execute(
                "SELECT people.* FROM people JOIN sessions ON person = name WHERE id = ? AND ends > ?",
                (digest(session), time.time()),
            ).fetchone()
        return row and dict(row)

    def end_session(self, session):
        with self._transaction() as database:
            database.execute("DELETE FROM sessions WHERE id = ?", (digest(session),))

    def end_session_of_ticket(self, ticket):
        with self._transaction() as database:
            database.execute("DELETE FROM sessions WHERE ticket = ?", (digest(ticket),))

    @contextmanager
    def _transaction(self):
        database = sqlite3.connect(self._file)
        database.row_factory = sqlite3.Row
        try:
            with database:
                yield database
        finally:
            database.close()


def digest(secret):
    """Who reads the database learns no session and no ticket."""
    return hashlib.sha256(secret.encode()).hexdigest()

"""Redis and PostgreSQL, each a process of its own on loopback in a temporary folder."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from .process import DidNotStart, Process, free_port

NOBODY = 65534


def programs_of_postgres():
    folders = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    return folders[-1] if folders else None


def missing(store):
    """Why a store cannot be started here, or nothing."""
    if store == "Redis":
        wanted = ["redis-server", "redis-benchmark", "redis-cli"]
        absent = [program for program in wanted if not shutil.which(program)]
        return f"{', '.join(absent)} not installed" if absent else None
    if store == "PostgreSQL" and not programs_of_postgres():
        return "postgresql is not installed"
    return None


def version(store):
    program = "redis-server" if store == "Redis" else programs_of_postgres() / "postgres"
    words = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()
    return words[2].removeprefix("v=")


def wait_until_it_listens(process, port):
    for _ in range(3000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.popen.poll() is not None:
            break
        time.sleep(0.01)
    raise DidNotStart(process.last_words())


class Redis(Process):
    """As Debian configures it, with an append-only file that is flushed every second."""

    def __init__(self, folder):
        self.port = free_port()
        command = ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        command += ["--appendonly", "yes", "--appendfsync", "everysec"]
        super().__init__(command, folder / "redis.log")
        wait_until_it_listens(self, self.port)

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def ask(self, *words):
        command = ["redis-cli", "-p", str(self.port), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


class Postgres(Process):
    """As it comes, with every commit flushed to the disk. It refuses to run as root: then it runs as nobody."""

    def __init__(self, folder):
        self.port = free_port()
        self.programs = programs_of_postgres()
        folder = folder / "postgres"
        folder.mkdir()
        options = {}
        if os.geteuid() == 0:
            for place in [folder, *folder.parents]:
                if str(place).startswith("/tmp/") and place != pathlib.Path("/tmp"):
                    place.chmod(place.stat().st_mode | 0o011)
            os.chown(folder, NOBODY, NOBODY)
            options = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        initdb = [self.programs / "initdb", "--no-instructions", "--encoding=UTF8", "--locale=C", "--auth=trust"]
        initdb += ["--username=casque", "--pgdata", folder / "data"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=folder, **options)
        command = [self.programs / "postgres", "-D", folder / "data", "-c", f"port={self.port}"]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}"]
        super().__init__(command, folder.parent / "postgres.log", cwd=folder, **options)
        wait_until_it_listens(self, self.port)
        for _ in range(500):
            if subprocess.run(self.psql("SELECT 1"), capture_output=True).returncode == 0:
                return
            time.sleep(0.01)
        raise DidNotStart(self.last_words())

    def url(self, database="postgres"):
        return f"postgres://casque@127.0.0.1:{self.port}/{database}"

    def psql(self, sql, database="postgres"):
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "casque", "-d", database]
        return [self.programs / "psql", *where, "-v", "ON_ERROR_STOP=1", "-XAtqc", sql]

    def sql(self, sql, database="postgres"):
        return subprocess.run(self.psql(sql, database), capture_output=True, text=True, check=True).stdout.strip()

    def end(self, how=signal.SIGINT):
        super().end(how)

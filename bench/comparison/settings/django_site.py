"""What both of Django's CAS servers are configured with."""

import json
import os

import django
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher


class SameCost(Argon2PasswordHasher):
    """argon2id at the cost that every server of the comparison has."""

    memory_cost, time_cost, parallelism = (int(part) for part in os.environ["PEERS_HASH_COST"].split(","))


def configure(root, apps, **more):
    port = os.environ.get("PEERS_DATABASE")
    if port:
        database = {"ENGINE": "django.db.backends.postgresql", "HOST": "127.0.0.1", "PORT": port}
        database |= {"USER": "casque", "NAME": "django", "CONN_MAX_AGE": None}
    else:
        database = {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": {"timeout": 20}}
        database["NAME"] = os.path.join(os.environ["PEERS_FOLDER"], "cas.sqlite3")
    processors = "django.template.context_processors.request", "django.contrib.auth.context_processors.auth"
    settings.configure(
        SECRET_KEY=os.environ["PEERS_SECRET"],
        DEBUG=False,
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=root,
        DATABASES={"default": database},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        PASSWORD_HASHERS=["django_site.SameCost"],
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            *apps,
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.locale.LocaleMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": [*processors, "django.contrib.messages.context_processors.messages"]},
            }
        ],
        STATIC_URL="/static/",
        USE_TZ=True,
        **more,
    )
    if not port:
        from django.db.backends.signals import connection_created

        connection_created.connect(use_write_ahead_log, weak=False)
    django.setup()


def use_write_ahead_log(connection, **_):
    """The settings under which SQLite serves several processes well."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")


def set_up():
    """Makes the tables and the people, who come as a JSON object of names and passwords in PEERS_PEOPLE."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    for name, password in json.loads(os.environ["PEERS_PEOPLE"]).items():
        get_user_model().objects.create_user(name, f"{name}@example.org", password, first_name="A", last_name="Person")

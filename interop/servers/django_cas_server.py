"""Runs django-cas-server on a free loopback port, for tests.

    python django_cas_server.py FOLDER

The database goes into FOLDER. One JSON line on standard output says where the server is and who may sign in:
{"cas_url": "http://127.0.0.1:PORT/cas", "username": …, "password": …}. It runs until standard input ends.

With CASQUE_KIT_SERVICE set, services that begin so may log in as well, act as proxies and are told of logouts; callbacks are
trusted by the certificates in CASQUE_KIT_CA.
"""

import json
import os
import re
import socketserver
import sys
import threading
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

folder = sys.argv[1]
USERNAME, PASSWORD = "alice", "wonderland"
ATTRIBUTES = {"mail": "alice@example.org", "memberOf": ["staff", "admin"], "sn": "Liddell & Söhne <x>"}

from django.conf import settings

settings.configure(
    SECRET_KEY="only for tests",
    DEBUG=False,
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(folder, "cas.sqlite3")}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "cas_server",
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
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    STATIC_URL="/static/",
    USE_TZ=True,
    CAS_AUTH_CLASS="cas_server.auth.TestAuthUser",
    CAS_TEST_USER=USERNAME,
    CAS_TEST_PASSWORD=PASSWORD,
    CAS_TEST_ATTRIBUTES=ATTRIBUTES,
    CAS_PROXY_CA_CERTIFICATE_PATH=os.environ.get("CASQUE_KIT_CA", True),
    CAS_NEW_VERSION_HTML_WARNING=False,
    CAS_NEW_VERSION_EMAIL_WARNING=False,
)

import django

django.setup()

from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import include, path

urlpatterns = [path("cas/", include("cas_server.urls", namespace="cas_server"))]


def register_services():
    from cas_server.models import ReplaceAttributName, ServicePattern

    pattern = ServicePattern.objects.create(pos=1, name="app", pattern=r"^https://app\.example\.org/", proxy=True)
    # After the kit's, which may be on this machine too.
    ServicePattern.objects.create(pos=9, name="receptor", pattern=r"^http://127\.0\.0\.1:[0-9]+/", proxy_callback=True)
    patterns = [pattern]
    if kit := os.environ.get("CASQUE_KIT_SERVICE"):
        patterns.append(
            ServicePattern.objects.create(
                pos=2, name="kit", pattern="^" + re.escape(kit), proxy=True, single_log_out=True
            )
        )
        patterns.append(
            ServicePattern.objects.create(pos=3, name="callback", pattern="^https://localhost:", proxy_callback=True)
        )
    for pattern in patterns:
        for name in ATTRIBUTES:
            ReplaceAttributName.objects.create(name=name, service_pattern=pattern)


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


def main():
    call_command("migrate", verbosity=0)
    register_services()
    server = make_server("127.0.0.1", 0, get_wsgi_application(), server_class=Server, handler_class=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ready = {"cas_url": f"http://127.0.0.1:{server.server_port}/cas", "username": USERNAME, "password": PASSWORD}
    print(json.dumps(ready), flush=True)
    sys.stdin.read()


main()

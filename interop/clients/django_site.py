"""A Django site on django-cas-ng. See README.md for what it answers."""

import json
import os
import socketserver
import sys
import threading
from importlib.metadata import version
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

PROTOCOL = {"CAS 1": "1", "CAS 2": "2", "CAS 3": "3", "SAML 1.1": "CAS_2_SAML_1_0"}[os.environ["CAS_PROTOCOL"]]
here = threading.local()


class OnRenewPages:
    """The setting CAS_RENEW, which is one for a whole site: true in requests for one page only."""

    def __bool__(self):
        return getattr(here, "renew", False)


def renew_where_asked(get_response):
    def middleware(request):
        here.renew = request.path.startswith("/renew")
        return get_response(request)

    return middleware


from django.conf import settings

settings.configure(
    SECRET_KEY="only for tests",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.path.join(os.environ["APP_FOLDER"], "app.sqlite3"),
            "OPTIONS": {"timeout": 20},
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "django_cas_ng",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        f"{__name__}.renew_where_asked",
    ],
    AUTHENTICATION_BACKENDS=["django_cas_ng.backends.CASBackend"],
    USE_TZ=True,
    LOGIN_URL="/login",
    CAS_SERVER_URL=os.environ["CAS_URL"] + "/",
    CAS_VERSION=PROTOCOL,
    CAS_ROOT_PROXIED_AS=os.environ["APP_URL"],
    CAS_RENEW=OnRenewPages(),
    CAS_CHECK_NEXT=False,
    CAS_IGNORE_REFERER=True,
    # Proxying is for the whole site as well.
    CAS_PROXY_CALLBACK=os.environ["APP_CALLBACK"] if PROTOCOL in "23" else None,
)

import django

django.setup()

from django.contrib.auth.decorators import login_required
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path
from django_cas_ng.models import ProxyGrantingTicket
from django_cas_ng.views import CallbackView, LoginView, LogoutView


def page(request):
    return JsonResponse({"user": request.user.username, "attributes": request.session.get("attributes", {})})


@login_required
def proxy(request):
    return JsonResponse({"ticket": ProxyGrantingTicket.retrieve_pt(request, request.GET["target"])})


urlpatterns = [
    path("", login_required(page)),
    path("renew", login_required(page, login_url="/renew/login")),
    path("proxy", proxy),
    path("login", LoginView.as_view(), name="cas_ng_login"),
    path("renew/login", LoginView.as_view()),
    path("logout", LogoutView.as_view(), name="cas_ng_logout"),
    path("callback", CallbackView.as_view(), name="cas_ng_proxy_callback"),
]


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


def main():
    call_command("migrate", verbosity=0)
    server = make_server(
        "127.0.0.1", int(os.environ["APP_PORT"]), get_wsgi_application(), server_class=Server, handler_class=Quiet
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"version": version("django-cas-ng")}), flush=True)
    sys.stdin.read()


main()

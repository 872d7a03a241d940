"""django-cas-server as gunicorn runs it for bench/peers.

PEERS_FOLDER is where it keeps its database, PEERS_DATABASE the port of a PostgreSQL instead. Run as a program it makes
the tables, the people and the service.
"""

import os

import django_site

django_site.configure(
    __name__,
    apps=["cas_server"],
    CAS_AUTH_CLASS="cas_server.auth.DjangoAuthUser",
    CAS_NEW_VERSION_HTML_WARNING=False,
    CAS_NEW_VERSION_EMAIL_WARNING=False,
)

from django.core.wsgi import get_wsgi_application
from django.urls import include, path

urlpatterns = [path("cas/", include("cas_server.urls", namespace="cas_server"))]
application = get_wsgi_application()


def register_service():
    from cas_server.models import ReplaceAttributName, ServicePattern

    pattern = ServicePattern.objects.create(pos=1, name="app", pattern="^" + os.environ["PEERS_SERVICE"])
    for name in ["email", "first_name", "last_name"]:
        ReplaceAttributName.objects.create(name=name, service_pattern=pattern)


if __name__ == "__main__":
    django_site.set_up()
    register_service()

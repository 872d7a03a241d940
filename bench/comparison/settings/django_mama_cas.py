"""django-mama-cas as gunicorn runs it for bench/peers; see django_cas_server.py."""

import os

import django_site

django_site.configure(
    __name__,
    apps=["mama_cas"],
    MAMA_CAS_SERVICES=[
        {"SERVICE": "^" + os.environ["PEERS_SERVICE"], "CALLBACKS": ["mama_cas.callbacks.user_model_attributes"]}
    ],
)

from django.core.wsgi import get_wsgi_application
from django.urls import include
from django.urls import re_path as route

urlpatterns = [route("^cas/", include("mama_cas.urls"))]
application = get_wsgi_application()

if __name__ == "__main__":
    django_site.set_up()

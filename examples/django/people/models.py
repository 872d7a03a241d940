"""Which ticket began which session."""

import hashlib
from importlib import import_module

from django.conf import settings
from django.db import models


class CasSession(models.Model):
    """A session that the CAS server may end by its ticket. Django's cookie holds neither."""

    ticket = models.CharField(max_length=64, primary_key=True)
    session = models.CharField(max_length=40)

    @classmethod
    def begin(cls, ticket, session):
        cls.objects.create(ticket=digest(ticket), session=session)

    @classmethod
    def end(cls, ticket):
        for found in cls.objects.filter(ticket=digest(ticket)):
            import_module(settings.SESSION_ENGINE).SessionStore(found.session).delete()
            found.delete()


def digest(ticket):
    """Who reads the database learns no ticket."""
    return hashlib.sha256(ticket.encode()).hexdigest()

"""People are Django's users, created at their first login by CAS."""

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend

from casque import Client

# Made once: threads may share it.
cas = Client(settings.CAS_PROVIDER, settings.SERVICE_URL)


class CasBackend(ModelBackend):
    """Permissions and groups stay Django's own. Nobody logs in by a password."""

    def authenticate(self, request, ticket=None, **credentials):
        """The user whose ticket it is; raises ``casque.CASError`` where nobody is signed in."""
        if ticket is None:
            return None
        person = cas.validate(ticket)
        users = get_user_model().objects
        mail = person.attributes.first("mail", "")
        user, created = users.get_or_create(username=person.user, defaults={"email": mail})
        if created:
            user.set_unusable_password()
        user.email = mail
        user.save()
        return user if self.user_can_authenticate(user) else None

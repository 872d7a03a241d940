"""The pages."""

import logging
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.utils.html import format_html
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from casque import AuthenticationFailure, CASError, LogoutReceiver, return_url

from .backend import cas
from .models import CasSession

SERVICE = urlsplit(settings.SERVICE_URL)
ORIGIN = f"{SERVICE.scheme}://{SERVICE.netloc}"

log = logging.getLogger(__name__)
single_logout = LogoutReceiver(SERVICE.path, end_session=CasSession.end)


@require_safe
def homepage(request):
    return HttpResponse('Welcome to the Homepage! <a href="/profile">Your profile</a>')


@require_safe
@login_required
def profile(request):
    page = format_html(
        "<p>Welcome, {}!</p><p>{}; here since {}.</p>"
        '<form method="post" action="/logout"><input type="hidden" name="csrfmiddlewaretoken" value="{}">'
        "<button>Log out</button></form>",
        request.user.get_username(),
        request.user.email,
        request.user.date_joined.date(),
        get_token(request),
    )
    return HttpResponse(page)


# The CAS server posts here, and has no token; the message is worth nothing without a ticket.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def login(request):
    if request.method == "POST":
        return receive_single_logout(request)
    ticket = request.GET.get("ticket")
    if ticket is None:
        # Whatever the link says, the browser comes back to a page of this application.
        target = request.GET.get("next", "/profile")
        request.session["return_to"] = return_url(target, ORIGIN, callback_paths=[SERVICE.path], landing="/profile")
        return redirect(cas.login_url())
    return_to = request.session.pop("return_to", None)
    if return_to is None:
        # Somebody else's link could sign this browser in as somebody else.
        return page(400, 'This login did not begin here, or cookies are off. <a href="/login">Log in</a>')
    try:
        user = auth.authenticate(request, ticket=ticket)
    except AuthenticationFailure:
        return page(401, 'The login was refused. <a href="/login">Log in again</a>')
    except CASError:
        log.exception("the CAS server gave no answer")
        return page(502, "The login server cannot be reached. Please try again.")
    if user is None:
        return page(403, "This account is closed.")
    auth.login(request, user)
    CasSession.begin(ticket, request.session.session_key)
    return redirect(return_to)


def receive_single_logout(request):
    # One byte more than is worth reading shows that it is too long.
    body = request.read(LogoutReceiver.MAX_BODY + 1)
    answer = single_logout.receive("POST", request.path, request.headers.get("Content-Type"), body)
    if answer is None:
        return page(400, "This page receives logouts of the CAS server.")
    return HttpResponse(answer.body, status=answer.status, content_type=answer.content_type)


@require_POST
def logout(request):
    auth.logout(request)
    return redirect(cas.logout_url())


def page(status, text):
    return HttpResponse(text, status=status)

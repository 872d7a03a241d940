"""Goes further: pages that ask for a login and come back, people in a database, single logout.

Settings are CAS_PROVIDER, SERVICE_URL and LOGIN_URL, from the environment or ``.env``, and SECRET_KEY, which signs the
cookies: from the environment. DATABASE is a file, ``people.db`` by default.
"""

from functools import wraps
from urllib.parse import urlsplit

from decouple import config
from flask import Flask, Response, g, redirect, request, session, url_for
from markupsafe import Markup
from people import People

from casque import CASError, LogoutReceiver, MalformedResponse, TransportError, return_url
from pycas_sso import CASClient

LOGIN_URL = urlsplit(config("LOGIN_URL"))
ORIGIN = f"{LOGIN_URL.scheme}://{LOGIN_URL.netloc}"

app = Flask(__name__)
app.secret_key = config("SECRET_KEY")
app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
app.config["SESSION_COOKIE_SECURE"] = LOGIN_URL.scheme == "https"

people = People(config("DATABASE", default="people.db"))
single_logout = LogoutReceiver(LOGIN_URL.path, end_session=people.end_session_of_ticket)


def cas():
    return CASClient.create(config("CAS_PROVIDER"), config("SERVICE_URL"), config("LOGIN_URL"))


@app.before_request
def who():
    """The cookie holds nothing but the name of a session; who it is and with which ticket is in the database."""
    g.person = people.of_session(session["id"]) if "id" in session else None


def login_required(view):
    """For pages that need a login: a browser is sent to log in and comes back to the page it asked for."""

    @wraps(view)
    def guarded(*args, **kwargs):
        if g.person is not None:
            return view(*args, **kwargs)
        if request.method not in ("GET", "HEAD"):
            return "Please log in first.", 401
        asked_for = urlsplit(request.url)._replace(scheme="", netloc="").geturl()
        return redirect(url_for("login", next=asked_for))

    return guarded


@app.get("/")
def homepage():
    return 'Welcome to the Homepage! <a href="/profile">Your profile</a>'


@app.get("/profile")
@login_required
def profile():
    return Markup(
        "<p>Welcome, {name}!</p><p>{mail}; {logins} logins since {first_login}.</p>"
        '<form method="post" action="/logout"><button>Log out</button></form>'
    ).format(**g.person)


@app.get("/documents/<path:name>")
@login_required
def document(name):
    return Markup("The document {} for {}, page {}").format(name, g.person["name"], request.args.get("page", "1"))


@app.get("/login")
def login():
    ticket = request.args.get("ticket")
    if ticket is None:
        # Whatever the link says, the browser comes back to a page of this application.
        target = request.args.get("next", "/profile")
        session["return_to"] = return_url(target, ORIGIN, callback_paths=[LOGIN_URL.path], landing="/profile")
        with cas() as client:
            return redirect(client.login_form_url())
    if "return_to" not in session:
        # Somebody else's link could sign this browser in as somebody else.
        return 'This login did not begin here, or cookies are off. <a href="/login">Log in</a>', 400
    try:
        with cas() as client:
            person = client.service_validate(ticket, version=3)
    except (MalformedResponse, TransportError):
        app.logger.exception("the CAS server gave no answer")
        return "The login server cannot be reached. Please try again.", 502
    except CASError:
        return 'The login was refused. <a href="/login">Log in again</a>', 401
    return_to = session["return_to"]
    session.clear()
    mail = person.attributes.get("mail") or [""]
    session["id"] = people.begin_session(person.username, mail[0], ticket)
    return redirect(return_to)


@app.post("/login")
def receive_single_logout():
    """The CAS server says here which of its tickets belonged to a session that has ended."""
    request.max_content_length = LogoutReceiver.MAX_BODY
    answer = single_logout.receive("POST", request.path, request.content_type, request.get_data())
    if answer is None:
        return "This page receives logouts of the CAS server.", 400
    return Response(answer.body, answer.status, content_type=answer.content_type)


@app.post("/logout")
def logout():
    if "id" in session:
        people.end_session(session["id"])
    session.clear()
    with cas() as client:
        return redirect(client.logout_url(), 303)

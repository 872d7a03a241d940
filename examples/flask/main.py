"""A homepage for everyone, a protected page, login and logout by CAS.

Settings are CAS_PROVIDER, SERVICE_URL and LOGIN_URL, from the environment or ``.env``, and SECRET_KEY, which signs the
cookies: from the environment.
"""

from decouple import config
from flask import Flask, redirect, request, session, url_for
from markupsafe import escape

from casque import MalformedResponse, TransportError
from pycas_sso.cas import CASClient
from pycas_sso.errors import CASServiceAuthenticationFailure

app = Flask(__name__)
app.secret_key = config("SECRET_KEY")
app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
app.config["SESSION_COOKIE_SECURE"] = config("LOGIN_URL").startswith("https:")


def cas():
    """A client costs little: one for each request is fine."""
    return CASClient.create(config("CAS_PROVIDER"), config("SERVICE_URL"), config("LOGIN_URL"))


@app.route("/")
def homepage():
    return "Welcome to the Homepage!"


@app.route("/login")
def login():
    if session.get("authenticated", False):
        return redirect(url_for("protected"))
    ticket = request.args.get("ticket")
    with cas() as client:
        if ticket is None:
            return redirect(client.login_form_url())
        try:
            person = client.service_validate(ticket)
        except (MalformedResponse, TransportError):
            app.logger.exception("the CAS server gave no answer")
            return "The login server cannot be reached. Please try again.", 502
        except CASServiceAuthenticationFailure as refusal:
            return f"Authentication failed: {escape(refusal)}", 401
    session.clear()
    session["authenticated"] = True
    session["username"] = person.username
    return redirect(url_for("protected"))


@app.route("/logout")
def logout():
    session.clear()
    with cas() as client:
        return redirect(client.logout_url())


@app.route("/protected")
def protected():
    if not session.get("authenticated", False):
        return "Access denied. Please log in first.", 401
    return f"Welcome to the protected page, {escape(session['username'])}!"

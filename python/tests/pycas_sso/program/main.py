"""A program of PyCAS-SSO's shape: a client for each request, settings from ``.env``, two services that differ."""

from decouple import config
from flask import Flask, redirect, request, session, url_for

from pycas_sso.cas import CASClient
from pycas_sso.errors import CASServiceAuthenticationFailure

app = Flask(__name__)
app.secret_key = b"only for this test"


def cas():
    return CASClient.create(config("CAS_PROVIDER"), config("SERVICE_URL"), config("LOGIN_URL"))


@app.route("/")
def homepage():
    return "Open to everybody"


@app.route("/login")
def login():
    if session.get("authenticated", False):
        return redirect(url_for("protected"))
    ticket = request.args.get("ticket", None)
    with cas() as client:
        if ticket is None:
            return redirect(client.login_form_url())
        try:
            data = client.service_validate(ticket)
        except CASServiceAuthenticationFailure as error:
            return f"Refused: {error}", 401
    session["authenticated"] = True
    session["username"] = data.username
    return redirect(url_for("protected"))


@app.route("/logout")
def logout():
    session.clear()
    with cas() as client:
        return redirect(client.logout_url())


@app.route("/protected")
def protected():
    if not session.get("authenticated", False):
        return "Log in first", 401
    return f"Only for {session['username']}"

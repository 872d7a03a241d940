"""A FastAPI application whose people log in by CAS.

Settings are CAS_PROVIDER and SERVICE_URL, from the environment or ``.env``, and SECRET_KEY, which signs the cookies:
from the environment.
"""

import logging
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import escape
from typing import Annotated
from urllib.parse import urlencode, urlsplit

from decouple import config
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse
from starlette.middleware.sessions import SessionMiddleware

from casque import Assertion, AsyncClient, AuthenticationFailure, CASError, LogoutReceiver, return_url

SERVICE_URL = config("SERVICE_URL")
SERVICE = urlsplit(SERVICE_URL)
ORIGIN = f"{SERVICE.scheme}://{SERVICE.netloc}"
LIFETIME = 8 * 60 * 60

log = logging.getLogger("uvicorn.error")


@dataclass
class Session:
    person: Assertion
    ticket: str = field(repr=False)
    ends: float


class Sessions:
    """Sessions in memory, for one process; put them where all processes see them if there are more."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    def begin(self, person: Assertion, ticket: str) -> str:
        now = time.time()
        self._sessions = {name: session for name, session in self._sessions.items() if session.ends > now}
        name = secrets.token_urlsafe(32)
        self._sessions[name] = Session(person, ticket, now + LIFETIME)
        return name

    def person(self, name: str | None) -> Assertion | None:
        session = self._sessions.get(name or "")
        return session.person if session and session.ends > time.time() else None

    def end(self, name: str | None) -> None:
        self._sessions.pop(name or "", None)

    def end_by_ticket(self, ticket: str) -> None:
        for name in [name for name, session in self._sessions.items() if session.ticket == ticket]:
            del self._sessions[name]


cas = AsyncClient(config("CAS_PROVIDER"), SERVICE_URL)
sessions = Sessions()
single_logout = LogoutReceiver(SERVICE.path, end_session=sessions.end_by_ticket)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with cas:
        yield


app = FastAPI(lifespan=lifespan)
# Signed and readable: it holds the name of a session, and where a login comes back to.
app.add_middleware(
    SessionMiddleware,
    secret_key=config("SECRET_KEY"),
    max_age=LIFETIME,
    same_site="lax",
    https_only=SERVICE.scheme == "https",
)


class LoginNeeded(Exception):
    """Nobody is logged in, and somebody has to be."""


@app.exception_handler(LoginNeeded)
async def ask_for_login(request: Request, _: Exception) -> Response:
    """A browser is sent to log in and comes back to the page it asked for; a script gets 401."""
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        asked_for = request.scope["raw_path"].decode("ascii")
        if request.url.query:
            asked_for += f"?{request.url.query}"
        return RedirectResponse("/login?" + urlencode({"next": asked_for}), 303)
    return JSONResponse({"detail": "Log in first."}, 401)


async def current_user(request: Request) -> Assertion:
    """Who is logged in."""
    person = sessions.person(request.session.get("id"))
    if person is None:
        raise LoginNeeded
    return person


CurrentUser = Annotated[Assertion, Depends(current_user)]


@app.get("/")
async def homepage() -> HTMLResponse:
    return HTMLResponse('Welcome to the Homepage! <a href="/profile">Your profile</a>')


@app.get("/profile")
async def profile(person: CurrentUser) -> HTMLResponse:
    return HTMLResponse(
        f'<p>Welcome, {escape(person.user)}!</p><form method="post" action="/logout"><button>Log out</button></form>'
    )


@app.get("/api/me")
async def me(person: CurrentUser) -> dict[str, object]:
    return {"user": person.user, "attributes": person.attributes.to_dict()}


@app.get("/login")
async def login(request: Request, ticket: str | None = None, next: str = "/profile") -> Response:
    if ticket is None:
        # Whatever the link says, the browser comes back to a page of this application.
        target = return_url(next, ORIGIN, callback_paths=[SERVICE.path], landing="/profile")
        request.session["return_to"] = target
        return RedirectResponse(cas.login_url(), 303)
    return_to = request.session.pop("return_to", None)
    if return_to is None:
        # Somebody else's link could sign this browser in as somebody else.
        again = 'This login did not begin here, or cookies are off. <a href="/login">Log in</a>'
        return HTMLResponse(again, 400)
    try:
        person = await cas.validate(ticket)
    except AuthenticationFailure:
        return HTMLResponse('The login was refused. <a href="/login">Log in again</a>', 401)
    except CASError as error:
        log.error("no answer of the CAS server: %s", error)
        return PlainTextResponse("The login server cannot be reached. Please try again.", 502)
    sessions.end(request.session.get("id"))
    request.session.clear()
    request.session["id"] = sessions.begin(person, ticket)
    return RedirectResponse(return_to, 303)


@app.post("/login")
async def receive_single_logout(request: Request) -> Response:
    """The CAS server says here which of its tickets belonged to a session that has ended."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LogoutReceiver.MAX_BODY:
            break
    answer = single_logout.receive("POST", request.url.path, request.headers.get("content-type"), body)
    if answer is None:
        return PlainTextResponse("This page receives logouts of the CAS server.", 400)
    return Response(answer.body, answer.status, media_type=answer.content_type)


@app.post("/logout")
async def logout(request: Request) -> Response:
    sessions.end(request.session.get("id"))
    request.session.clear()
    return RedirectResponse(cas.logout_url(), 303)

"""An application on python-cas, with the little that the library leaves to it. See README.md for what it answers."""

import http.server
import json
import os
import secrets
import sys
import threading
from http.cookies import SimpleCookie
from importlib.metadata import version
from urllib.parse import parse_qs, urlsplit

from cas import CASClient

CAS, APP, CALLBACK = os.environ["CAS_URL"] + "/", os.environ["APP_URL"], os.environ["APP_CALLBACK"]
VERSION = {"CAS 1": "1", "CAS 2": "2", "CAS 3": "3", "SAML 1.1": "CAS_2_SAML_1_0"}[os.environ["CAS_PROTOCOL"]]
sessions, granted = {}, {}  # by cookie, and by PGTIOU


class Application(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        query = parse_qs(url.query, keep_blank_values=True)
        cookies = SimpleCookie(self.headers.get("Cookie", ""))
        cookie = cookies["app"].value if "app" in cookies else secrets.token_hex()
        session = sessions.get(cookie, {})

        if url.path == "/callback":
            granted[query.get("pgtIou", [""])[0]] = query.get("pgtId", [""])[0]
            return self.answer(200, "")
        if url.path == "/logout":
            sessions.pop(cookie, None)
            return self.answer(302, location=CASClient(version=VERSION, server_url=CAS).get_logout_url())

        # The service is the address without the ticket, which comes last.
        kept = [part for part in url.query.split("&") if part and not part.startswith("ticket=")]
        service = APP + url.path + ("?" + "&".join(kept) if kept else "")
        options = {}
        if url.path == "/renew":
            options["renew"] = True
        if url.path == "/gateway":
            options["extra_login_params"] = {"gateway": "true"}
        if url.path == "/proxy":
            options["proxy_callback"] = CALLBACK
        client = CASClient(version=VERSION, server_url=CAS, service_url=service, **options)

        if "ticket" in query:
            user, attributes, pgtiou = client.verify_ticket(query["ticket"][0])
            if user is None:
                return self.answer(403, "")
            sessions[cookie] = {
                "user": user, "attributes": attributes or {}, "ticket": query["ticket"][0], "pgt": granted.get(pgtiou)
            }  # fmt: skip
            return self.answer(302, location=service, cookie=cookie)
        if url.path == "/gateway" and session.get("asked") and not session.get("user"):
            return self.answer(200, {"user": None, "attributes": {}})
        if not session.get("user") or (url.path == "/proxy" and not session["pgt"]):
            sessions[cookie] = {"asked": True}
            return self.answer(302, location=client.get_login_url(), cookie=cookie)
        if url.path == "/proxy":
            target = CASClient(version=VERSION, server_url=CAS, service_url=query["target"][0])
            return self.answer(200, {"ticket": target.get_proxy_ticket(session["pgt"])})
        self.answer(200, {"user": session["user"], "attributes": session["attributes"]})

    def do_POST(self):
        form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        client = CASClient(version=VERSION, server_url=CAS)
        told = [index.text for index in client.get_saml_slos(form["logoutRequest"][0])]
        for cookie in [cookie for cookie, session in sessions.items() if session.get("ticket") in told]:
            del sessions[cookie]
        self.answer(200, "")

    def answer(self, status, body="", location=None, cookie=None):
        body = (json.dumps(body) if body != "" else "").encode()
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        if cookie:
            self.send_header("Set-Cookie", f"app={cookie}; Path=/; HttpOnly")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["APP_PORT"])), Application)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"version": version("python-cas")}), flush=True)
sys.stdin.read()

"""A client for each login, as PyCAS-SSO's example for Flask has it, against the same server on this machine.

    python bench/python/client_per_login.py

Run with an interpreter that has the wheel and httpx; PyCAS-SSO is installed into target/pycas-sso. Each round is a new
process that logs in LOGINS times, the first one included: with what the first login imports. Goal: a tenth.
"""

import subprocess
import sys

from beside import compare, seconds

ROUNDS, LOGINS, GOAL = 9, 100, 1 / 10

SERVER = """
import socketserver
BODY = (b'<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas"><cas:authenticationSuccess>'
        b'<cas:user>ada</cas:user></cas:authenticationSuccess></cas:serviceResponse>')
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            line = self.rfile.readline()
            if not line:
                return
            while line.strip():
                line = self.rfile.readline()
            self.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Type: text/xml\\r\\nContent-Length: %d\\r\\n\\r\\n%s"
                             % (len(BODY), BODY))
class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""

LOGIN = """
import sys, time
from pycas_sso.cas import CASClient
provider, logins = sys.argv[1], int(sys.argv[2])
service = "https://app.example.org/login"
started = time.perf_counter()
for number in range(logins):
    with CASClient.create(provider, service, service) as client:
        assert client.service_validate(f"ST-{number}").username == "ada"
print((time.perf_counter() - started) / logins)
"""


def main() -> None:
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        try:
            provider = f"http://127.0.0.1:{server.stdout.readline().strip()}/cas"
            ratio = compare(
                "a client for each login",
                lambda python: seconds(python, LOGIN, provider, str(LOGINS)),
                ROUNDS,
                "ms",
                1e3,
            )
        finally:
            server.terminate()
    if ratio > GOAL:
        sys.exit(f"more than 1/{1 / GOAL:.0f}")


if __name__ == "__main__":
    main()

"""``import pycas_sso.cas`` in a new process, beyond the start of the interpreter. Goal: half of PyCAS-SSO's.

    python bench/python/import_time.py

Run with an interpreter that has the wheel; PyCAS-SSO is installed into target/pycas-sso.
"""

import sys

from beside import compare, seconds

ROUNDS, GOAL = 25, 1 / 2

IMPORT = """
import time
started = time.perf_counter()
import pycas_sso.cas
print(time.perf_counter() - started)
"""

# With what a program imports beside it, and what the first client does.
PROGRAM = """
import time
started = time.perf_counter()
from pycas_sso.cas import CASClient
from pycas_sso.errors import CASServiceAuthenticationFailure
with CASClient.create("http://127.0.0.1/cas", "https://app.example.org/", "https://app.example.org/login") as client:
    client.login_form_url()
print(time.perf_counter() - started)
"""


def main() -> None:
    ratio = compare("import pycas_sso.cas", lambda python: seconds(python, IMPORT), ROUNDS, "ms", 1e3)
    compare("up to the first login URL", lambda python: seconds(python, PROGRAM), ROUNDS, "ms", 1e3)
    if ratio > GOAL:
        sys.exit(f"more than 1/{1 / GOAL:.0f}")


if __name__ == "__main__":
    main()

"""Reading a CAS 3 response with ten attributes from Python: casque against PyCAS-SSO (lxml), in one run.

    pip install lxml pycas-sso==0.1.0.post1      # into a folder of its own: casque brings a package of the same name
    python bench/python/parse.py /path/to/that/folder

``pycas_sso`` is loaded from the folder given, which holds PyCAS-SSO's own package; without one, casque is measured
alone. Both end with the name and every attribute as objects of Python. Pairs of rounds are measured in turn; printed
are the median of the ratios, with the lowest and highest, and the best time of each.
"""

import importlib.util
import statistics
import sys
import time
import timeit
from pathlib import Path

from casque import _core

ROUNDS, CALLS = 25, 2000
# The time of the processor, so that whoever else uses it does not count.
CLOCK = time.process_time

NAMES = [
    "mail",
    "givenName",
    "sn",
    "displayName",
    "eduPersonAffiliation",
    "departmentNumber",
    "phone",
    "locale",
    "uidNumber",
]
ATTRIBUTES = "".join(f"      <cas:{name}>value of {name}</cas:{name}>\n" for name in NAMES)
BODY = f"""<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas">
  <cas:authenticationSuccess>
    <cas:user>ada</cas:user>
    <cas:attributes>
{ATTRIBUTES}      <cas:memberOf>staff</cas:memberOf>
      <cas:memberOf>admins</cas:memberOf>
    </cas:attributes>
  </cas:authenticationSuccess>
</cas:serviceResponse>
""".encode()


def casque() -> tuple[str, dict[str, list[str]]]:
    person = _core.parse_service_response(BODY)
    return person.user, person.attributes.to_dict()


def pycas_sso(folder: str):
    """PyCAS-SSO's own reading, with its client's own function."""
    package = Path(folder) / "pycas_sso"
    spec = importlib.util.spec_from_file_location(
        "pycas_sso", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["pycas_sso"] = module
    spec.loader.exec_module(module)
    from pycas_sso.clients.core import CASClientBase

    client = CASClientBase("https://cas.example.org/cas", "https://app.example.org/", "https://app.example.org/login")

    def read():
        found = client._parse_service_validate_content(BODY)
        return found.username, found.attrs

    return read


def main() -> None:
    user, attributes = casque()
    assert (user, len(attributes)) == ("ada", 10)
    ours = min(timeit.repeat(casque, timer=CLOCK, number=CALLS, repeat=ROUNDS)) / CALLS
    if len(sys.argv) < 2:
        print(f"casque {ours * 1e6:.2f} µs")
        return
    theirs_read = pycas_sso(sys.argv[1])
    user, found = theirs_read()
    assert user == "ada"
    assert {name: values if len(values) > 1 else values[0] for name, values in attributes.items()} == found
    ratios, best = [], [float("inf")] * 2
    for _ in range(ROUNDS):
        pair = [timeit.timeit(read, timer=CLOCK, number=CALLS) / CALLS for read in (casque, theirs_read)]
        ratios.append(pair[1] / pair[0])
        best = [min(*times) for times in zip(best, pair, strict=True)]
    print(
        f"casque {best[0] * 1e6:.2f} µs, PyCAS-SSO {best[1] * 1e6:.2f} µs: "
        f"{statistics.median(ratios):.2f} times faster ({min(ratios):.2f} to {max(ratios):.2f}), goal 5"
    )


if __name__ == "__main__":
    main()

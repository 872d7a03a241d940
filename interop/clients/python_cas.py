"""A CAS client on python-cas, one step a call.

    python_cas.py VERSION SERVER SERVICE login-url
    python_cas.py VERSION SERVER SERVICE verify TICKET

Prints one line of JSON.
"""

import json
import sys

from cas import CASClient

version, server, service, step, *rest = sys.argv[1:]
client = CASClient(version=version, server_url=server, service_url=service)
if step == "login-url":
    print(json.dumps(client.get_login_url()))
else:
    user, attributes, _ = client.verify_ticket(rest[0])
    print(json.dumps({"user": user, "attributes": attributes}))

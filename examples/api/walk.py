"""A loan system asks for a profile: open a query, follow it, fetch the profile.

ATOLL_URL is https://HOST:PORT of the bank's node, ATOLL_CA a file with the certificate
that signs the node's, ATOLL_TOKEN a token with the role officer, ATOLL_CONSENT the id
of the consent. ATOLL_TEMPLATE is a file with the template of the profile as a JSON
string; without it the node's own template counts.
"""

import json
import os
import ssl
import sys
import urllib.error
import urllib.request

URL, TOKEN, CONSENT = (os.environ[name] for name in ("ATOLL_URL", "ATOLL_TOKEN", "ATOLL_CONSENT"))
TRUST = ssl.create_default_context(cafile=os.environ["ATOLL_CA"])


def call(path, question=None, **headers):
    """Return the answer to a question; a problem ends the program."""
    request = urllib.request.Request(URL + path, headers={"Authorization": "Bearer " + TOKEN, **headers})
    if question is not None:
        request.data = json.dumps(question).encode()
        request.add_header("Content-Type", "application/json")
    try:
        return urllib.request.urlopen(request, context=TRUST, timeout=60)
    except urllib.error.HTTPError as error:
        problem = json.load(error)
        sys.exit(f"{problem['code']}: {problem['detail']}; {problem['hint']}")


print("entries:", json.load(call("/v1/status"))["size"])

question = {"consent": CONSENT, "wait_ms": 30000}
if "ATOLL_TEMPLATE" in os.environ:
    question["template"] = json.load(open(os.environ["ATOLL_TEMPLATE"], encoding="utf-8"))
# The same key asks once, however often the request is sent.
opened = call("/v1/queries", question, **{"Idempotency-Key": "walk-py-" + CONSENT})
query = opened.headers["Location"]
print("query", query)

event = ""
for line in call(query + "/events"):
    name, _, value = line.decode().rstrip("\n").partition(": ")
    if name == "event":
        event = value
    elif name == "data" and event == "piece":
        piece = json.loads(value)["piece"]
        print(piece["agency"], piece["outcomes"])
print(event)

profile = json.load(call(query + "/profile"))
print("score", profile["score"])

"""What javascript.ts does, in Python: the SDK is on the path, the client of one's own is http.client."""

import http.client
import json
import os
import sys
import time
from urllib.parse import quote, urlsplit

import cronium

address = urlsplit(os.environ["CRONIUM_API_URL"])
headers = {"Authorization": "Bearer " + os.environ["CRONIUM_EXECUTION_TOKEN"]}
connection = http.client.HTTPConnection(address.hostname, address.port)


def get_raw(key):
    connection.request("GET", "/v1/variables/" + quote(key, safe=""), headers=headers)
    return json.loads(connection.getresponse().read())


for line in sys.stdin:
    kind, count = line.split()
    get = cronium.get_variable if kind == "sdk" else get_raw
    took = []
    for _ in range(int(count)):
        started = time.perf_counter_ns()
        value = get("key")
        took.append((time.perf_counter_ns() - started) / 1000)
        if len(value) != 98:
            raise Exception("get_variable answered " + value)
    print(json.dumps(took), flush=True)

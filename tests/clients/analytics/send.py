"""The same with Segment's package for Python, with and without gzip."""

import sys

from segment.analytics.client import Client

host, write_key, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
failures = []
for zipped in (False, True):
    client = Client(write_key, host=host, gzip=zipped, upload_size=50, on_error=lambda error, batch: failures.append(error))
    for n in range(count // 2):
        client.track(f"u{n % 7}", "Sent", {"n": n}, message_id=f"segment-python-{zipped}-{n}")
    if zipped:
        client.identify("u1", {"plan": "pro"})
        client.page(anonymous_id="a1", name="Home")
        client.screen(anonymous_id="a1", name="Start")
        client.group("u1", "g1", {"size": 7})
        client.alias("a1", "u1")
    client.shutdown()
print(failures, file=sys.stderr)
sys.exit(1 if failures else 0)

"""Amazon's RDS, as far as moto imitates it, behind a network and a service that have a bad day.

Prints the port. The first argument is `good` or `bad`: how its day is. On a bad one, of each call that makes something, the
first is throttled, the second gets 503, the third is made and its answer lost; what is made is asked for three times before
it is there: the first answer takes its time, the second is 503, and meanwhile it is `creating`. An instance `…-without-moments` has no automatic backups. Restored instances answer on this
machine, at the port that the second argument names. GET says how often each was called.
"""

import json
import re
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs
from urllib.request import Request, urlopen

from moto.server import ThreadedMotoServer

moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
moto.start()
upstream = "http://%s:%s" % moto.get_host_and_port()
calls = Counter()
good_day = sys.argv[1] == "good"
lock = threading.Lock()

THROTTLED = b"""<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error>
<RequestId>0</RequestId></ErrorResponse>"""


NO_MOMENTS = b"""<ErrorResponse><Error><Type>Sender</Type><Code>PointInTimeRestoreNotEnabled</Code>
<Message>Automated backups are off</Message></Error><RequestId>0</RequestId></ErrorResponse>"""

MAKES = ["CreateDBSnapshot", "RestoreDBInstanceToPointInTime", "RestoreDBInstanceFromDBSnapshot"]


class Proxy(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200, json.dumps(calls).encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        asked = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        action = asked.get("Action", "")
        restored = action == "DescribeDBInstances" and "-restore-" in asked.get("DBInstanceIdentifier", "")
        with lock:
            calls[action + " restored" * restored] += 1
            number = calls[action + " restored" * restored]
        if good_day:
            number = None
        if action in MAKES and number == 1:
            return self.answer(400, THROTTLED)
        if action in MAKES and number == 2:
            return self.answer(503, b"")
        polled = number if action == "DescribeDBSnapshots" or restored else None
        if polled == 1:
            time.sleep(3)
        if polled == 2:
            return self.answer(503, b"")
        if asked.get("SourceDBInstanceIdentifier", "").endswith("-without-moments"):
            return self.answer(400, NO_MOMENTS)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        try:
            answer = urlopen(Request(upstream + self.path, data=body, headers=headers))
            status, text = answer.status, answer.read()
        except Exception as error:
            status, text = error.code, error.read()
        if action in MAKES and number == 3:
            self.close_connection = True
            return self.connection.close()
        if polled in (1, 3) and not restored:
            text = re.sub(rb"<Status>available</Status>", b"<Status>creating</Status>", text)
            text = re.sub(rb"<PercentProgress>\d+<", b"<PercentProgress>%d<" % (number * 30), text)
        if restored:
            text = re.sub(rb"<Address>[^<]*</Address>", b"<Address>127.0.0.1</Address>", text)
            text = re.sub(rb"<Port>\d+</Port>", b"<Port>%d</Port>" % int(sys.argv[2]), text)
        if restored and polled in (1, 3):
            text = re.sub(rb"<DBInstanceStatus>available<", b"<DBInstanceStatus>creating<", text)
        self.answer(status, text)

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("content-type", "text/xml")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
print(server.server_address[1], flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
# Ends with whoever started it.
sys.stdin.read()

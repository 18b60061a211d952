"""Verifies what a receiver got, as its programmer would: JSON of {secret, headers, body} on standard input."""

import json
import sys

from standardwebhooks import Webhook, WebhookVerificationError

received = json.load(sys.stdin)
webhook = Webhook(received["secret"])
payload = webhook.verify(received["body"], received["headers"])
try:
    webhook.verify(received["body"] + " ", received["headers"])
except WebhookVerificationError:
    pass
else:
    raise SystemExit("a changed body was taken")
print((payload if isinstance(payload, dict) else json.loads(received["body"]))["type"])

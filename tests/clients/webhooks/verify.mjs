// Verifies what a receiver got, as its programmer would: JSON of {secret, headers, body} on standard input.
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const { secret, headers, body } = JSON.parse(readFileSync(0, "utf8"));
const webhook = new Webhook(secret);
const payload = webhook.verify(body, headers);
let forged = false;
try {
  webhook.verify(body + " ", headers);
  forged = true;
} catch {}
if (forged) throw new Error("a changed body was taken");
console.log(payload.type);

"""Takes codes from Usher's signed HTTP sender and passes them on to an SMS vendor. docs/http-sender.md explains it."""

import base64, hashlib, hmac, json, os, secrets, threading, time, urllib.request
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = base64.b64decode(os.environ["USHER_HTTP_SECRET"].removeprefix("whsec_"))
REPORT_URL = os.environ.get("REPORT_URL")  # Usher's /v1/reports/http; empty: no reports
sent, lock = set(), threading.Lock()  # webhook-ids; they belong in your database, so that a restart does not forget them


def call_vendor(to, code, purpose, locale):
    """Is where your SMS vendor is called. Returns the vendor's id of the message."""
    if to == "+8613800000000":
        raise OSError("the vendor is busy")
    print(f"{to} gets {code} for {purpose} in {locale}", flush=True)
    return "vendor-" + secrets.token_hex(8)


def sign(id, timestamp, body):
    return hmac.new(SECRET, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()


def authentic(headers, body):
    """Checks the signature and that the request is not older than five minutes."""
    id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > 300:
        return False
    want = base64.b64encode(sign(id, timestamp, body)).decode()
    given = headers.get("webhook-signature", "").split()  # two while the secret is rotated
    return any(hmac.compare_digest(g.encode(), ("v1," + want).encode()) for g in given)


def report(report):
    """Tells Usher what the carrier says. Every try has the same id, so that Usher takes it once."""
    id, body = "report_" + secrets.token_hex(12), json.dumps(report).encode()
    for wait in (0, 1, 60, 600):
        time.sleep(wait)
        timestamp = str(int(time.time()))
        request = urllib.request.Request(REPORT_URL, body, {
            "Content-Type": "application/json", "webhook-id": id, "webhook-timestamp": timestamp,
            "webhook-signature": "v1," + base64.b64encode(sign(id, timestamp, body)).decode(),
        })
        try:
            urllib.request.urlopen(request, timeout=10).close()
            return
        except OSError:  # no answer, or none with 2xx
            pass


class Receiver(BaseHTTPRequestHandler):
    timeout = 10

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if 0 <= length <= 16384 else b""
        if not authentic(self.headers, body):
            return self.answer(401, {"kind": "misconfigured"})
        message, id = json.loads(body), self.headers["webhook-id"]
        if not message.get("to", "").startswith("+") or not message.get("code"):
            return self.answer(422, {"kind": "rejected"})  # so does Usher's check without a message
        with lock:
            repeated = id in sent
            sent.add(id)
        if repeated:
            return self.answer(200, {})  # sent already
        try:
            vendor_id = call_vendor(message["to"], message["code"], message["purpose"], message["locale"])
        except OSError:  # certainly not sent: another attempt may follow
            sent.discard(id)
            return self.answer(503, {"kind": "temporary", "retry_after": 5})
        self.answer(200, {"provider_id": vendor_id})
        if REPORT_URL:
            at = datetime.now(timezone.utc).isoformat()
            told = {"id": id, "state": "delivered", "provider_id": vendor_id, "at": at}
            threading.Thread(target=report, args=(told,), daemon=True).start()

    def answer(self, status, fields):
        body = json.dumps(fields).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    host, _, port = os.environ["LISTEN"].rpartition(":")  # such as 127.0.0.1:9000
    server = ThreadingHTTPServer((host, int(port)), Receiver)
    print("listening on", "%s:%d" % server.server_address[:2], flush=True)
    server.serve_forever()

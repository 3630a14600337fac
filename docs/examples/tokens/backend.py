"""A service that learns from Usher's tokens who is signed in; see docs/tokens.md. It needs PyJWT 2 and cryptography."""

import json, os, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt

ISSUER = os.environ["ISSUER"]  # USHER_PUBLIC_URL
AUDIENCE = os.environ["AUDIENCE"]  # this service's name in USHER_TOKEN_AUDIENCES


class Keys(jwt.PyJWKClient):
    """Keeps the public keys for five minutes. A token with an unknown kid loads them again, at most every half minute."""

    reloaded = float("-inf")

    def get_signing_keys(self, refresh=False):
        if refresh and time.monotonic() - self.reloaded < 30:
            refresh = False
        elif refresh:
            self.reloaded = time.monotonic()
        return super().get_signing_keys(refresh)


keys = Keys(ISSUER + "/.well-known/jwks.json")
newest, lock = {}, threading.Lock()  # highest gen by sub; keep it in your table of users


def signed_in(token):
    """Returns the id of the account, or raises jwt.PyJWTError."""
    if len(token) > 4096 or jwt.get_unverified_header(token).get("typ") != "usher-session+jwt":
        raise jwt.InvalidTokenError("not a token of a session")
    key = keys.get_signing_key_from_jwt(token)
    claims = jwt.decode(
        token, key.key, algorithms=["ES256"], audience=AUDIENCE, issuer=ISSUER,
        options={"require": ["iss", "aud", "sub", "exp", "iat", "jti", "gen"]},
    )
    with lock:
        if claims["gen"] < newest.get(claims["sub"], 0):
            raise jwt.InvalidTokenError("the password was changed since")
        newest[claims["sub"]] = claims["gen"]
    return claims["sub"]


class Backend(BaseHTTPRequestHandler):
    def do_GET(self):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        try:
            if scheme.lower() != "bearer":
                raise jwt.InvalidTokenError("no token")
            status, answer = 200, {"account": signed_in(token)}
        except jwt.PyJWTError:  # its text may quote the token: do not log it
            status, answer = 401, {"error": "sign in"}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    host, _, port = os.environ["LISTEN"].rpartition(":")  # such as 127.0.0.1:9000
    server = ThreadingHTTPServer((host, int(port)), Backend)
    print("listening on", "%s:%d" % server.server_address, flush=True)
    server.serve_forever()

// A service that learns from Usher's tokens who is signed in; see docs/tokens.md. It needs jose 6.
import { createServer } from 'node:http';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const issuer = process.env.ISSUER; // USHER_PUBLIC_URL
const audience = process.env.AUDIENCE; // this service's name in USHER_TOKEN_AUDIENCES

// Keeps the public keys for five minutes. A token with an unknown kid loads them again, at most every half minute.
const keys = createRemoteJWKSet(new URL('/.well-known/jwks.json', issuer), { cacheMaxAge: 300_000, cooldownDuration: 30_000 });
const newest = new Map(); // highest gen by sub; keep it in your table of users

// signedIn returns the id of the account, or throws.
async function signedIn(token) {
  if (token.length > 4096) throw new Error('not a token of ours');
  const { payload } = await jwtVerify(token, keys, {
    algorithms: ['ES256'], typ: 'usher-session+jwt', issuer, audience, requiredClaims: ['sub', 'exp', 'iat', 'jti', 'gen'],
  });
  if (payload.gen < (newest.get(payload.sub) ?? 0)) throw new Error('the password was changed since');
  newest.set(payload.sub, payload.gen);
  return payload.sub;
}

const server = createServer(async (request, response) => {
  const [, token] = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '') ?? [];
  let status = 401, answer = { error: 'sign in' };
  try {
    if (token) [status, answer] = [200, { account: await signedIn(token) }];
  } catch { /* its text may quote the token: do not log it */ }
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
});
const [host, port] = process.env.LISTEN.split(':'); // such as 127.0.0.1:9000
server.listen(Number(port), host, () => console.log(`listening on ${host}:${server.address().port}`));

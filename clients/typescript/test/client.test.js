// What the client does with answers, lost answers and tokens, on a fetch of its own.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { createUsher, memoryStorage, Refusal, Usher } from 'usher-client';
import { createVerifications, Verifications } from 'usher-client/server';

const token = (letter) => `usr_${letter.repeat(32)}_000000`;

const answer = (data, status = 200, headers = {}) => Response.json({ errno: '0', errmsg: 'OK', data, request_id: 'r1' }, { status, headers });

const refusal = (errno, status, more = {}, headers = {}) =>
  Response.json({ errno, errmsg: `sentence of ${errno}`, data: {}, request_id: 'r2', ...more }, { status, headers });

const lost = () => { throw new TypeError('fetch failed'); };

// network answers the requests one after the other, the last answer for ever, and keeps them.
function network(...answers) {
  const calls = [];
  const fetch = async (url, init) => {
    const next = answers[Math.min(calls.length, answers.length - 1)];
    calls.push({ url, ...init, body: init.body && JSON.parse(init.body) });
    return typeof next === 'function' ? next(url, init) : next.clone();
  };
  return { calls, fetch };
}

const hangs = (url, { signal }) => new Promise((_, reject) => { signal.addEventListener('abort', () => reject(signal.reason)); });

const make = (net, options) => createUsher({ baseURL: 'https://usher.example/', language: 'en', ...options, fetch: net.fetch });

const throwsErrno = (promise, errno) => assert.rejects(promise, (error) => {
  assert.ok(error instanceof Refusal && error instanceof Error);
  assert.equal(error.errno, errno);
  return true;
});

describe('answers', () => {
  test('data is returned, and the request is as the contract says', async () => {
    const net = network(answer({ count: 1, username: '李雷' }));
    assert.deepEqual(await make(net).countUsername('李雷'), { count: 1, username: '李雷' });
    const [{ url, method, credentials, headers }] = net.calls;
    assert.equal(url, 'https://usher.example/v1/usernames/%E6%9D%8E%E9%9B%B7');
    assert.deepEqual([method, credentials, headers['Accept-Language']], ['GET', 'include', 'en']);
    assert.ok(!('Content-Type' in headers) && !('Idempotency-Key' in headers) && !('Authorization' in headers));
  });

  test('a refusal has all that a page needs', async () => {
    const more = { fields: { mobile: 'wrong' }, data: { captcha_price: 'high' } };
    const net = network(refusal('4202', 422, more, { 'Retry-After': '7' }));
    await assert.rejects(make(net).signIn({ login: 'a', password: 'b' }), {
      name: 'Refusal', errno: '4202', status: 422, message: 'sentence of 4202', requestId: 'r2', retryAfter: 7, ...more,
    });
    assert.equal(net.calls.length, 1);
  });

  test('the language may change', async () => {
    const net = network(lost);
    const usher = make(net, { retries: 0 });
    await assert.rejects(usher.createCaptcha(), { message: /No connection/, errno: 'network', status: 0 });
    usher.language = 'zh-CN';
    await assert.rejects(usher.createCaptcha(), { message: /网络/ });
    assert.equal(net.calls[1].headers['Accept-Language'], 'zh-CN');
  });

  test('a page of a proxy is no answer', async () => {
    const net = network(new Response('<html>Bad Gateway</html>', { status: 502, headers: { 'X-Request-Id': 'r3' } }));
    await assert.rejects(make(net).signOut(), { errno: 'malformed', status: 502, requestId: 'r3' });
    await throwsErrno(make(network(Response.json(['x']))).signOut(), 'malformed');
  });

  test('nobody is signed in', async () => {
    assert.equal(await make(network(refusal('4101', 401))).currentSession(), null);
    await throwsErrno(make(network(refusal('4301', 503, {}, { 'Retry-After': '30' }))).currentSession(), '4301');
  });
});

describe('the end of a request', () => {
  test('the caller ends it, with its own reason', async () => {
    const stop = new AbortController();
    const waiting = make(network(hangs)).createCaptcha({}, { signal: stop.signal });
    const reason = new Error('the person has left');
    stop.abort(reason);
    await assert.rejects(waiting, reason);
    await assert.rejects(make(network(answer({}))).listSessions({ signal: AbortSignal.abort(reason) }), reason);
  });

  test('the time is over', async () => {
    await throwsErrno(make(network(hangs), { timeout: 5 }).signOut(), 'timeout');
  });

  test('the caller ends the pause before a repetition', async () => {
    const stop = new AbortController();
    const net = network(() => { setTimeout(() => stop.abort(), 1); return lost(); });
    await assert.rejects(make(net).listSessions({ signal: stop.signal }), { name: 'AbortError' });
    assert.equal(net.calls.length, 1);
  });
});

describe('repetition', () => {
  const code = { mobile: '13800138000', purpose: 'login' };
  const keys = (net) => net.calls.map((call) => call.headers['Idempotency-Key']);

  test('a lost code is asked for again with its key, after the time that is named', async () => {
    const net = network(lost, refusal('4206', 409, {}, { 'Retry-After': '1' }), answer({ sms_code_id: 'x' }, 201));
    assert.deepEqual(await make(net).sendCode(code), { sms_code_id: 'x' });
    const [first, second, third] = keys(net);
    assert.match(first, /^[0-9a-f]{32}$/);
    assert.deepEqual([second, third], [first, first]);
  });

  test('the key waits for the next press of the button, and is spent by an answer', async () => {
    const net = network(lost, answer({}, 201), answer({}, 201));
    const usher = make(net, { retries: 0 });
    await throwsErrno(usher.sendCode(code), 'network');
    await usher.sendCode(code);
    await usher.sendCode(code);
    const [first, second, third] = keys(net);
    assert.equal(second, first);
    assert.notEqual(third, first);
  });

  test('a refusal spends the key, trouble on the other side does not', async () => {
    const net = network(refusal('4202', 422), refusal('4500', 500), answer({}, 201));
    const usher = make(net);
    await throwsErrno(usher.sendCode(code), '4202');
    await throwsErrno(usher.sendCode(code), '4500');
    await usher.sendCode(code);
    const [first, second, third] = keys(net);
    assert.notEqual(second, first);
    assert.equal(third, second);
  });

  test('what cannot be repeated is sent once', async () => {
    for (const act of [(u) => u.signIn({ login: 'a', password: 'b' }), (u) => u.resetPassword({}), (u) => u.signOut()]) {
      const net = network(lost);
      await throwsErrno(act(make(net)), 'network');
      assert.equal(net.calls.length, 1);
    }
  });

  test('what only reads is repeated, but not for long and not after a refusal', async () => {
    let net = network(lost, answer({ sessions: [] }));
    assert.deepEqual(await make(net).listSessions(), { sessions: [] });
    net = network(lost);
    await throwsErrno(make(net, { retries: 1 }).listSessions(), 'network');
    assert.equal(net.calls.length, 2);
    net = network(refusal('4301', 503, {}, { 'Retry-After': '60' }));
    await throwsErrno(make(net).listSessions(), '4301');
    net = network(refusal('4206', 429, {}, { 'Retry-After': '1' }));
    await throwsErrno(make(net).listSessions(), '4206');
    assert.equal(net.calls.length, 1);
  });

  test('a registration whose answer comes again signs in, as it brings no cookie', async () => {
    const again = answer({ active: true, username: 'li_lei' }, 201, { 'Idempotency-Replayed': 'true' });
    const net = network(again, answer({ created: false }, 201));
    await make(net).register({ username: 'li_lei', password: 'p', password_repeat: 'p', agree: true });
    assert.equal(net.calls[1].url, 'https://usher.example/v1/sessions');
    assert.deepEqual(net.calls[1].body, { login: 'li_lei', password: 'p' });
  });
});

describe('bearer sessions', () => {
  const opened = (letter, seconds = 600) => answer({ username: 'li_lei', token: token(letter), expires_in: seconds }, 201);
  const sent = (net) => net.calls.map(({ url, headers }) => `${new URL(url).pathname} ${headers.Authorization?.[11] ?? '-'}`);
  const bearer = (net, storage = memoryStorage()) => make(net, { transport: 'bearer', storage });

  test('the token is kept, sent, replaced and forgotten', async () => {
    const storage = memoryStorage();
    const net = network(opened('A'), answer({}), opened('B'), answer({}), answer({}), answer({}));
    const usher = bearer(net, storage);
    await usher.signIn({ login: 'li_lei', password: 'p' });
    assert.equal(net.calls[0].body.transport, 'bearer');
    assert.equal(net.calls[0].credentials, 'omit');
    await usher.listSessions();
    await usher.changePassword({ password: 'q', password_repeat: 'q' });
    await bearer(net, storage).listSessions(); // after a restart of the program
    await usher.signOut();
    await usher.currentSession();
    assert.deepEqual(sent(net), ['/v1/sessions -', '/v1/sessions A', '/v1/account/password A', '/v1/sessions B', '/v1/sessions/current B', '/v1/sessions/current -']);
  });

  test('a signed token for a service is not taken for that of the session', async () => {
    const net = network(opened('A'), answer({ token: 'eyJ.x.y', expires_in: 300 }), answer({}));
    const usher = bearer(net);
    await usher.signIn({});
    await usher.createToken({ aud: 'shop' });
    await usher.listSessions();
    assert.equal(sent(net)[2], '/v1/sessions A');
  });

  test('after half of its life it is rotated, once for all requests', async () => {
    const net = network(opened('A', 0), opened('B'), answer({}));
    const usher = bearer(net);
    await usher.signIn({});
    await Promise.all([usher.listSessions(), usher.currentSession(), usher.listSessions()]);
    assert.deepEqual(sent(net), ['/v1/sessions -', '/v1/sessions/current/rotate A', '/v1/sessions B', '/v1/sessions/current B', '/v1/sessions B']);
  });

  test('a rotation that fails leaves the old token', async () => {
    const net = network(opened('A', 0), lost, answer({}), opened('B'), answer({}));
    const usher = bearer(net);
    await usher.signIn({});
    await usher.listSessions();
    await usher.listSessions();
    assert.deepEqual(sent(net).slice(1), ['/v1/sessions/current/rotate A', '/v1/sessions A', '/v1/sessions/current/rotate A', '/v1/sessions B']);
  });

  test('the answer to a rotation was lost: the old token asks for the new one again', async () => {
    const net = network(opened('A'), refusal('4101', 401), opened('B'), answer({ sessions: [] }));
    const usher = bearer(net);
    await usher.signIn({});
    assert.deepEqual(await usher.listSessions(), { sessions: [] });
    assert.deepEqual(sent(net).slice(1), ['/v1/sessions A', '/v1/sessions/current/rotate A', '/v1/sessions B']);
  });

  test('another tab has rotated: its token is used', async () => {
    const storage = memoryStorage();
    const net = network(opened('A'), refusal('4101', 401), answer({ sessions: [] }));
    const usher = bearer({ calls: net.calls, fetch: (url, init) => {
      if (net.calls.length === 1) storage.setItem('usher.session', JSON.stringify({ token: token('C'), renewAt: Date.now() + 1e6 }));
      return net.fetch(url, init);
    } }, storage);
    await usher.signIn({});
    await usher.listSessions();
    assert.deepEqual(sent(net).slice(1), ['/v1/sessions A', '/v1/sessions C']);
  });

  test('a registration that waits for a mail keeps its token, signed in or not', async () => {
    const net = network(answer({ active: false, token: token('A'), expires_in: 0 }, 201), refusal('4101', 401), opened('B'), answer({}));
    const usher = bearer(net);
    await usher.register({});
    assert.equal(await usher.currentSession(), null);
    await usher.activate({ token: 'x' });
    await usher.listSessions();
    assert.deepEqual(sent(net), ['/v1/registrations -', '/v1/sessions/current A', '/v1/activations A', '/v1/sessions B']);
  });

  test('the session is over: the token is forgotten', async () => {
    const net = network(opened('A'), refusal('4101', 401));
    const usher = bearer(net);
    await usher.signIn({});
    await throwsErrno(usher.listSessions(), '4101');
    await throwsErrno(usher.listSessions(), '4101');
    assert.deepEqual(sent(net).slice(1), ['/v1/sessions A', '/v1/sessions/current/rotate A', '/v1/sessions -']);
  });
});

test('a key of an app is for servers', async () => {
  const net = network(lost, answer({ id: 'v1' }, 201));
  const usher = createVerifications({ baseURL: 'https://usher.example', key: 'usk_x', fetch: net.fetch });
  await usher.startVerification({ channel: 'sms', to: '13800138000', purpose: 'pay' });
  assert.equal(net.calls[1].headers.Authorization, 'Bearer usk_x');
  assert.equal(net.calls[1].headers['Idempotency-Key'], net.calls[0].headers['Idempotency-Key']);
  globalThis.document = {};
  try {
    assert.throws(() => createVerifications({ baseURL: 'https://usher.example', key: 'usk_x' }), /server/);
  } finally {
    delete globalThis.document;
  }
});

test('every operation for frontends and for services has a method of its name', () => {
  const contract = readFileSync(new URL('../../../api/openapi.yaml', import.meta.url), 'utf8');
  const operations = [...contract.matchAll(/operationId: (\w+)\n +tags: \[(\w+)\]/g)]
    .filter(([, name, tag]) => !['reports', 'events', 'tokens', 'administration'].includes(tag) && name !== 'forwardAuth') // Those are for other programs.
    .map(([, name]) => name);
  assert.ok(operations.length > 30);
  const missing = operations.filter((name) => !(name in Usher.prototype) && !(name in Verifications.prototype));
  assert.deepEqual(missing, []);
});

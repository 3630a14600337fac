// Walks through the running program of USHER_URL, whose messages are at SANDBOX_URL. The answer to every captcha is CAPTCHA.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { createUsher, memoryStorage, Refusal, solve } from 'usher-client';

const { USHER_URL: baseURL, SANDBOX_URL: sandbox, CAPTCHA: typed } = process.env;
const password = 'correct horse battery';

// withCookies is a fetch that keeps cookies, as browsers do.
function withCookies() {
  const jar = new Map();
  return async (url, init) => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { ...init, headers: { ...init.headers, ...(cookie && { Cookie: cookie }) } });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (/Max-Age=0/i.test(line) || value === '') jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  };
}

const page = () => createUsher({ baseURL, language: 'en', fetch: withCookies() });
const app = (storage = memoryStorage()) => createUsher({ baseURL, language: 'zh-CN', transport: 'bearer', storage });

const solved = async (usher) => solve(await usher.createCaptcha(), typed);

// message waits for the nth message to a number or address, or for the nth that has what is asked for.
async function message(to, nth = 1, has = 'text') {
  for (;;) {
    const all = await (await fetch(`${sandbox}/api/messages?to=${encodeURIComponent(to)}`)).json();
    const messages = all.filter((one) => one[has]);
    if (messages.length >= nth) return messages.toSorted((a, b) => a.id - b.id)[nth - 1];
    await pause(50);
  }
}

// sends waits as long as a refusal says, with a new captcha each time.
async function sends(usher, send) {
  for (;;) {
    try {
      return await send(await solved(usher));
    } catch (error) {
      if (error.errno !== '4206') throw error;
      await pause(error.retryAfter * 1000);
    }
  }
}

async function codeFor(usher, mobile, purpose, nth) {
  const { sms_code_id } = await sends(usher, (captcha) => usher.sendCode({ mobile, purpose, ...captcha }));
  return { mobile, sms_code_id, sms_code: (await message(mobile, nth, 'code')).code };
}

async function mailCodeFor(usher, email, purpose, nth) {
  const { email_code_id } = await sends(usher, (captcha) => usher.sendEmailCode({ email, purpose, ...captcha }));
  return { email, email_code_id, email_code: (await message(email, nth, 'code')).code };
}

const linkToken = (mail) => /token=([\w.~-]+)/.exec(mail.text)[1];

const throwsErrno = (promise, errno, status) => assert.rejects(promise, (error) => {
  assert.ok(error instanceof Refusal, String(error));
  assert.deepEqual([error.errno, error.status], [errno, status], error.message);
  assert.notEqual(error.requestId, '');
  return true;
});

describe('the running program', { concurrency: true }, () => {
  test('a page: by number, with a cookie', async () => {
    const usher = page();
    const mobile = '13600136001';
    assert.equal(await usher.currentSession(), null);
    assert.equal((await usher.countUsername('ts_page_1')).count, 0);
    const code = await codeFor(usher, mobile, 'register', 1);
    assert.equal((await usher.checkCode({ mobile, sms_code_id: code.sms_code_id, code: code.sms_code, purpose: 'register' })).valid, true);
    const account = await usher.register({ username: 'ts_page_1', password, password_repeat: password, agree: true, ...code });
    assert.deepEqual([account.active, account.mobile, 'token' in account], [true, '136****6001', false]);
    assert.equal((await usher.currentSession()).username, 'ts_page_1');

    const other = page();
    await other.signIn({ login: mobile, password, remember: true });
    const { sessions } = await usher.listSessions();
    assert.equal(sessions.length, 2);
    await usher.endSession(sessions.find(({ current }) => !current).id);
    assert.equal(await other.currentSession(), null);
    assert.deepEqual(await usher.endOtherSessions(), { ended: 0 });

    await usher.changePassword({ password_current: password, password: `${password} 2`, password_repeat: `${password} 2` });
    await usher.signOut();
    assert.equal(await usher.currentSession(), null);
    await throwsErrno(usher.signIn({ login: 'ts_page_1', password }), '4102', 401);
    await usher.signIn(await codeFor(usher, mobile, 'login', 2));
    assert.equal((await usher.currentSession()).username, 'ts_page_1');
  });

  test('an app: by address alone, with a token', async () => {
    const storage = memoryStorage();
    const usher = app(storage);
    const email = 'ts.app@example.com';
    const waiting = await usher.register({
      username: 'ts_app_22', password, password_repeat: password, agree: true, email, ...await solved(usher),
    });
    assert.equal(waiting.active, false);
    assert.equal(await usher.currentSession(), null); // registered, and not signed in
    await message(email);
    await usher.resendActivation();
    const token = linkToken(await message(email, 2));
    assert.equal((await usher.activate({ token })).email_active, true);
    assert.equal((await usher.currentSession()).username, 'ts_app_22');

    const former = storage.getItem('usher.session');
    await usher.rotateSession();
    const rotated = storage.getItem('usher.session');
    assert.notEqual(JSON.parse(rotated).token, JSON.parse(former).token);
    storage.setItem('usher.session', former); // as if the answer had been lost
    await usher.rotateSession();
    assert.equal(JSON.parse(storage.getItem('usher.session')).token, JSON.parse(rotated).token);

    const next = `${password} 3`;
    await usher.resetPassword({ ...await mailCodeFor(usher, email, 'reset_password', 1), password: next, password_repeat: next });
    assert.equal(await usher.currentSession(), null); // a reset ends every session
    assert.equal(storage.getItem('usher.session'), null);
    await usher.signIn({ login: email, password: next });
    await usher.signOut();
    await usher.signIn(await mailCodeFor(usher, email, 'login', 2));
    assert.equal((await usher.currentSession()).username, 'ts_app_22');
  });

  test('a code is watched', async () => {
    const usher = page();
    const { sms_code_id: id } = await usher.sendCode({ mobile: '13600136003', purpose: 'register', ...await solved(usher) });
    const seen = [];
    for await (const { status } of usher.watchCode(id)) seen.push(status);
    assert.equal(seen.at(-1), 'delivered');
  });

  test('refusals of every class', async () => {
    const usher = page();
    const used = await codeFor(usher, '13600136004', 'register', 1);
    const form = { username: 'ts_page_4', password, password_repeat: password, agree: true };
    await usher.register({ ...form, ...used });
    await usher.signOut();
    const mobile = '13600136005';
    const captcha = await solved(usher);
    const { sms_code_id } = await usher.sendCode({ mobile, purpose: 'register', ...captcha });
    const { code } = await message(mobile, 1, 'code');
    const wrong = code === '000000' ? '000001' : '000000';
    for (const [errno, status, act] of [
      ['4101', 401, () => usher.listSessions()],
      ['4102', 401, () => usher.signIn({ login: 'ts_page_4', password: 'not this one' })],
      ['4103', 422, () => usher.sendCode({ mobile: '1', purpose: 'register' })],
      ['4201', 422, () => usher.sendCode({ mobile: '13600136006', purpose: 'register', ...captcha })],
      ['4202', 422, async () => usher.sendCode({ mobile: '13600136006', purpose: 'register', ...await solved(usher), captcha: 'none' })],
      ['4204', 422, () => usher.register({ ...form, username: 'ts_page_5', mobile, sms_code_id, sms_code: wrong })],
      ['4003', 409, () => usher.register({ ...form, mobile, sms_code_id, sms_code: code })],
      ['4208', 422, () => usher.activate({ token: 'k1.bm8.bm8' })],
      ['4002', 404, () => usher.codeStatus('x'.repeat(44))],
      ['4002', 404, () => usher.request('GET', '/v1/nothing')],
      ['4005', 405, () => usher.request('PUT', '/v1/captchas', { body: {} })],
    ]) await throwsErrno(act(), errno, status);
    await assert.rejects(usher.register({}), ({ errno, fields }) => errno === '4103' && Object.keys(fields).length > 0);
    usher.language = 'zh-CN';
    await assert.rejects(usher.signIn({ login: 'ts_page_4', password: 'nor this' }), { message: /密码/ });

    const stranger = createUsher({ baseURL, fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, Origin: 'https://other.example' } }) });
    await throwsErrno(stranger.createCaptcha(), '4209', 403);
  });
});

// A client of Usher: fetch, and nothing else.

const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

// Refusal is what every method throws. Its message is a sentence for people, in their language; errno is for
// programs, and 'lost' when no answer arrived.
export class Refusal extends Error {
  constructor(answer, response) {
    super(answer.errmsg);
    this.errno = answer.errno;
    this.fields = answer.fields ?? {};
    this.requestId = answer.request_id;
    this.status = response?.status ?? 0;
    this.captchaPrice = answer.data?.captcha_price; // what the next captcha has to cost
    this.retryAfter = Number(response?.headers.get('Retry-After')) || 0;
  }
}

const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
const unhex = (text) => Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));

// prove does the work of a challenge (ALTCHA 2), which comes beside a picture when codes run short. Its result follows
// the text of the picture after a space. Browsers can do it on https pages and on localhost.
export async function prove({ parameters, signature }) {
  const { cost, data, keyLength, keyPrefix, nonce, salt } = parameters;
  const options = { name: 'PBKDF2', hash: 'SHA-256', iterations: cost, salt: unhex(salt) };
  for (let counter = 0; counter <= data.most; counter++) {
    const password = unhex(nonce + counter.toString(16).padStart(8, '0'));
    const base = await crypto.subtle.importKey('raw', password, 'PBKDF2', false, ['deriveBits']);
    const derivedKey = hex(new Uint8Array(await crypto.subtle.deriveBits(options, base, keyLength * 8)));
    if (derivedKey.startsWith(keyPrefix)) {
      return btoa(JSON.stringify({ challenge: { parameters, signature }, solution: { counter, derivedKey } }));
    }
  }
  throw new Error('the challenge has no solution');
}

export class Usher {
  #keys = new Map(); // of requests without an answer so far

  constructor(base, language) {
    this.base = base;
    this.language = language;
  }

  captcha(kind = 'image', price = 'normal') { return this.#call('POST', '/v1/captchas', { kind, price }); }
  sendCode(body) { return this.#once('/v1/sms-codes', body); }
  codeStatus(id) { return this.#call('GET', `/v1/sms-codes/${encodeURIComponent(id)}`); }
  countUsername(name) { return this.#call('GET', `/v1/usernames/${encodeURIComponent(name)}`); }
  activate(body) { return this.#call('POST', '/v1/activations', body); }
  signIn(body) { return this.#call('POST', '/v1/sessions', body); }
  signOut() { return this.#call('DELETE', '/v1/sessions/current'); }

  // register signs in as well. An answer that is given again brings no cookie with it.
  async register(body) {
    const account = await this.#once('/v1/registrations', body);
    if (account.replayed && account.active) await this.signIn({ login: body.username, password: body.password });
    return account;
  }

  // current is the account that is signed in, or null.
  async current() {
    try {
      return await this.#call('GET', '/v1/sessions/current');
    } catch (error) {
      if (error.errno === '4101') return null;
      throw error;
    }
  }

  // follow tells the status of a code whenever it has changed, until there is nothing more to come.
  async follow(id, tell) {
    let last = 'queued';
    for (const seconds of [1, 2, 3, 5, 8, 13, 25, 35]) {
      await pause(seconds);
      const { status } = await this.codeStatus(id);
      if (status !== last) tell(status);
      if (status !== 'queued' && status !== 'sent') return;
      last = status;
    }
  }

  // #once sends a request until an answer arrives. The key makes sure that it is done once: no second SMS, no
  // second account. When the network stays away, the key waits for the person to press the button again.
  async #once(path, body) {
    const text = path + JSON.stringify(body);
    const key = this.#keys.get(text) ?? crypto.randomUUID();
    this.#keys.set(text, key);
    for (let attempt = 1; ; attempt++) {
      try {
        const data = await this.#call('POST', path, body, key);
        this.#keys.delete(text);
        return data;
      } catch (error) {
        const unknown = error.errno === 'lost' || (error.status === 409 && error.errno === '4206');
        if (!unknown) this.#keys.delete(text);
        if (!unknown || attempt === 4) throw error;
        await pause(error.retryAfter || attempt);
      }
    }
  }

  async #call(method, path, body, key) {
    const headers = { Accept: 'application/json', 'Accept-Language': this.language };
    if (body) headers['Content-Type'] = 'application/json';
    if (key) headers['Idempotency-Key'] = key;
    let response, answer;
    try {
      response = await fetch(this.base + path, {
        method, headers, body: body && JSON.stringify(body),
        credentials: 'include', signal: AbortSignal.timeout(15000),
      });
      answer = await response.json();
    } catch {
      throw new Refusal({ errno: 'lost', errmsg: this.language.startsWith('zh') ? '网络不通，请重试' : 'No connection. Please try again.' });
    }
    if (answer.errno !== '0') throw new Refusal(answer, response);
    return { ...answer.data, replayed: response.headers.has('Idempotency-Replayed') };
  }
}

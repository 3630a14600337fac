// The pages are plain forms that work without this file. It sends the same fields to the JSON API
// instead, so that mistakes show beside their field and nothing typed is lost.

const texts = {};
for (const p of document.getElementById('texts').content.children) texts[p.dataset.key] = p.textContent;
const say = (key, n) => (texts[key] ?? key).replace('{n}', n);

const $ = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const byId = (id) => document.getElementById(id);

// ---- The API ----

// call never throws: a dead network looks like one more refusal.
async function call(method, path, body, idempotencyKey) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), 15000);
  const headers = { Accept: 'application/json', 'Accept-Language': document.documentElement.lang };
  if (body) headers['Content-Type'] = 'application/json';
  if (idempotencyKey) headers['Idempotency-Key'] = idempotencyKey;
  try {
    const response = await fetch(path, {
      method, headers, body: body && JSON.stringify(body),
      credentials: 'same-origin', cache: 'no-store', signal: abort.signal,
    });
    const answer = await response.json();
    return {
      ok: response.ok && answer.errno === '0', errno: answer.errno, errmsg: answer.errmsg,
      data: answer.data ?? {}, fields: answer.fields ?? {}, status: response.status,
      retryAfter: Number(response.headers.get('Retry-After')) || 0,
    };
  } catch {
    return { ok: false, errno: 'network', errmsg: say('network'), data: {}, fields: {}, status: 0, retryAfter: 0 };
  } finally {
    clearTimeout(timer);
  }
}

// A call whose answer was lost keeps its key for the same body, so that trying again cannot send a
// second message or open a second account. Once answered, the next try is a new one.
const unanswered = new Map();
async function callOnce(path, body) {
  const text = path + JSON.stringify(body);
  if (!unanswered.has(text)) unanswered.set(text, randomKey());
  const answer = await call('POST', path, body, unanswered.get(text));
  if (answer.status) unanswered.delete(text);
  return answer;
}

// crypto.randomUUID exists on https pages only; this works on a laptop's plain address too.
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
}

// ---- Fields and their messages ----

const plainMobile = (value) => value.replace(/[\s-]/g, '').replace(/^\+?86(?=1\d{10}$)/, '');

function valueOf(input) {
  if (input.type === 'checkbox') return input.checked;
  if (input.name === 'mobile') return plainMobile(input.value);
  return input.name.startsWith('password') ? input.value : input.value.trim();
}

// mistake is the sentence about a field's value, or an empty string.
function mistake(input) {
  if (input.closest('[hidden]') || input.type === 'hidden') return '';
  const { validity, value, dataset, form } = input;
  if (validity.valueMissing) return input.type === 'checkbox' ? dataset.invalid : say('required');
  if (!validity.valid) return dataset.invalid;
  const length = [...value].length;
  if ('meter' in dataset && (length < 8 || length > 128)) return dataset.invalid;
  if (input.name === 'password_repeat' && value !== form.elements.password.value) return dataset.invalid;
  return '';
}

function showError(input, sentence) {
  input.setAttribute('aria-invalid', sentence ? 'true' : 'false');
  const place = byId(`${input.id}-error`);
  if (place && place.textContent !== sentence) place.textContent = sentence;
}

function check(inputs) {
  const wrong = inputs.filter((input) => {
    const sentence = mistake(input);
    showError(input, sentence);
    return sentence;
  });
  wrong[0]?.focus();
  return wrong.length === 0;
}

const alertOf = (form) => $('[data-alert]', form);

// Refusals that come without a list of fields still belong to one.
const fieldOf = { 4201: 'captcha', 4202: 'captcha', 4203: 'sms_code', 4204: 'sms_code', 4205: 'sms_code' };

// refuse shows an answer's sentences, each where it belongs: beside its field if the form has one.
function refuse(form, answer) {
  const fields = { ...answer.fields };
  const name = fieldOf[answer.errno];
  if (name && !Object.keys(fields).length) fields[name] = answer.errmsg;
  const homes = [...form.elements].filter((input) => input.id && fields[input.name] && !input.closest('[hidden]'));
  homes.forEach((input) => showError(input, fields[input.name]));
  const homeless = Object.keys(fields).filter((key) => !homes.some((input) => input.name === key)).map((key) => fields[key]);
  if (answer.errno === '4102') homeless.unshift(answer.errmsg);
  if (homeless.length || !homes.length) alertOf(form).textContent = homeless.join(' ') || answer.errmsg;
  homes[0]?.focus();
}

// ---- The captcha ----

class Captcha {
  constructor(root) {
    this.root = root;
    this.id = $('[name=captcha_id]', root);
    this.answer = $('[name=captcha]', root);
    this.image = $('img', root);
    this.hint = byId('captcha-hint');
    this.turn = 0;
    const refresh = $('[value=captcha]', root);
    refresh.type = 'button';
    refresh.addEventListener('click', () => this.load('image', true));
    this.image.addEventListener('click', () => this.load('image', true));
    this.image.classList.add('clickable');
    const audio = $('[data-audio]', root);
    audio.hidden = false;
    audio.addEventListener('click', () => this.load('audio', true));
    if (!this.hidden && !this.image.hasAttribute('src')) this.load('image');
  }

  get hidden() { return this.root.closest('[hidden]') !== null; }

  // load replaces the challenge; the answer typed for the old one goes with it.
  async load(kind = 'image', focus = false) {
    const turn = ++this.turn;
    const answer = await call('POST', '/v1/captchas', { kind });
    if (turn !== this.turn) return;
    if (!answer.ok) return showError(this.answer, answer.status === 429 ? answer.errmsg : say('captcha_failed'));
    this.id.value = answer.data.captcha_id;
    this.answer.value = '';
    this.hint.textContent = '';
    $('audio', this.root)?.remove();
    this.image.hidden = kind === 'audio';
    if (kind === 'audio') this.play(answer.data.audio);
    else this.image.src = answer.data.image;
    if (focus) {
      showError(this.answer, '');
      this.answer.focus();
    }
  }

  play(source) {
    const audio = document.createElement('audio');
    audio.controls = true;
    audio.src = source;
    this.image.after(audio);
    this.hint.textContent = say('audio');
    audio.play().catch(() => {}); // Refused by the browser's policy: the controls are there.
  }

  async show() {
    this.root.hidden = false;
    this.root.closest('[data-demand]')?.removeAttribute('hidden');
    await this.load();
  }
}

// ---- The code by SMS ----

// Seconds between looks at what became of a message: about a minute and a half in all.
const looks = [1, 2, 3, 5, 8, 13, 25, 35];

class CodeSender {
  constructor(form, captcha) {
    this.form = form;
    this.captcha = captcha;
    this.button = $('[value=send_code]', form);
    this.code = form.elements.sms_code;
    this.mobile = form.elements.mobile;
    this.status = byId('code-status');
    this.label = this.button.textContent;
    this.key = `usher.code.${form.dataset.purpose}`;
    this.button.type = 'button';
    this.button.addEventListener('click', () => this.send());
    this.captcha?.answer.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.isComposing) return;
      event.preventDefault();
      this.send();
    });
    // A number mended after sending is another number: it need not wait for the first one.
    this.mobile.addEventListener('input', () => {
      if (this.sentTo && plainMobile(this.mobile.value) !== this.sentTo) this.forget();
    });
    this.resume();
  }

  // resume picks up after a reload, or after the server has sent the code for a plain form.
  resume() {
    const plain = Number(this.button.dataset.resendAfter);
    let kept = null;
    try { kept = JSON.parse(sessionStorage.getItem(this.key)); } catch { /* Not ours: as good as none. */ }
    $('[data-wait]', this.status)?.remove(); // The button counts instead.
    if (plain > 0) this.wait(plain);
    else if (kept?.deadline > Date.now()) {
      this.id = kept.id;
      this.label = say('resend');
      if (this.captcha) this.captcha.root.hidden = true;
      this.countDown(kept.deadline);
      this.watch();
    }
  }

  async send() {
    if (this.button.disabled) return;
    if (this.captcha?.hidden) {
      await this.captcha.show();
      return this.captcha.answer.focus();
    }
    alertOf(this.form).textContent = '';
    if (!this.ready()) return;
    const body = { mobile: plainMobile(this.mobile.value), purpose: this.form.dataset.purpose };
    if (this.captcha) Object.assign(body, { captcha_id: this.captcha.id.value, captcha: this.captcha.answer.value.trim() });
    this.button.disabled = true;
    this.button.textContent = say('wait');
    const answer = await callOnce('/v1/sms-codes', body);
    this.button.disabled = false;
    this.button.textContent = this.label;
    if (answer.ok) this.sent(answer.data, body.mobile);
    else this.refused(answer);
  }

  ready() {
    const inputs = [this.mobile];
    if (this.captcha) inputs.push(this.captcha.answer);
    const fine = check(inputs);
    if (!this.captcha || this.captcha.answer.value.trim()) return fine;
    showError(this.captcha.answer, this.captcha.answer.dataset.invalid);
    if (fine) this.captcha.answer.focus();
    return false;
  }

  sent(data, mobile) {
    this.id = data.sms_code_id;
    this.sentTo = mobile;
    this.label = say('resend');
    if (this.captcha) this.captcha.root.hidden = true;
    this.tell('queued');
    this.wait(data.resend_after);
    showError(this.code, '');
    this.code.value = '';
    this.code.focus();
    this.watch();
  }

  refused(answer) {
    refuse(this.form, answer);
    if (answer.retryAfter > 0 && answer.retryAfter <= 600) this.wait(answer.retryAfter);
    if (this.captcha && (['4201', '4202'].includes(answer.errno) || answer.fields.captcha)) this.captcha.load();
  }

  // forget returns to the state before any code was asked for.
  forget() {
    this.id = this.sentTo = undefined;
    this.wait(0);
    this.status.textContent = this.status.dataset.said = '';
    if (this.captcha?.hidden) this.captcha.show();
  }

  wait(seconds) {
    const deadline = Date.now() + (seconds > 0 ? seconds : 0) * 1000;
    try {
      sessionStorage.setItem(this.key, JSON.stringify({ id: this.id, deadline }));
    } catch { /* Storage is full or forbidden: only a reload would have needed it. */ }
    this.countDown(deadline);
  }

  countDown(deadline) {
    clearInterval(this.clock);
    const tick = () => {
      const left = Math.ceil((deadline - Date.now()) / 1000);
      this.button.disabled = left > 0;
      this.button.textContent = left > 0 ? say('countdown', left) : this.label;
      if (left <= 0) clearInterval(this.clock);
    };
    this.clock = setInterval(tick, 500);
    tick();
  }

  // watch follows the message until its fate is known, the person asks anew, or patience ends.
  async watch() {
    const id = this.id;
    if (!id) return;
    for (const seconds of looks) {
      await new Promise((done) => setTimeout(done, seconds * 1000));
      while (document.hidden) await new Promise((done) => document.addEventListener('visibilitychange', done, { once: true }));
      if (id !== this.id) return;
      const answer = await call('GET', `/v1/sms-codes/${encodeURIComponent(id)}`);
      if (id !== this.id || answer.status === 404) return;
      if (!answer.ok) continue;
      const { status, resend_after: again } = answer.data;
      this.tell(status);
      if (again !== undefined) this.wait(again);
      if (!['queued', 'sent'].includes(status)) return;
    }
    this.tell('slow');
  }

  tell(status) {
    if (status === 'undelivered') status = 'failed';
    if (!(status in texts)) return; // "used": the form is on its way already.
    const sentence = say(status);
    if (this.status.dataset.said === sentence) return;
    this.status.dataset.said = sentence;
    this.status.textContent = sentence;
    this.status.classList.toggle('good', status === 'delivered');
    const byEmail = $('.tabs a[href="/register?mode=email"]');
    if (status !== 'failed' || !byEmail) return;
    const link = document.createElement('a');
    link.href = byEmail.href;
    link.textContent = say('failed_email');
    this.status.append(' ', link);
  }
}

// ---- Help while typing ----

function meter(input) {
  const hint = byId(`${input.id}-hint`);
  const plain = hint.textContent;
  input.addEventListener('input', () => {
    const length = [...input.value].length;
    const level = length < 8 ? 0 : length < 12 ? 1 : length < 16 ? 2 : 3;
    if (!length) delete hint.dataset.level;
    else hint.dataset.level = level;
    hint.textContent = !length ? plain
      : level ? say(['', 'password_min', 'password_good', 'password_strong'][level])
        : say('password_more', 8 - length);
  });
}

function peek(button) {
  const inputs = all('input[type=password]', button.form);
  const show = (on) => {
    button.setAttribute('aria-pressed', String(on));
    button.textContent = say(on ? 'hide' : 'show');
    for (const input of inputs) input.type = on ? 'text' : 'password';
  };
  button.hidden = false;
  button.addEventListener('click', () => show(inputs[0].type === 'password'));
  // Password managers learn passwords from password fields only.
  button.form.addEventListener('submit', () => show(false), { capture: true });
  show(false);
}

// lookup asks whether a name or number is taken. It only helps: registering checks again.
async function lookup(input) {
  const value = valueOf(input);
  const answer = await call('GET', input.dataset.lookup + encodeURIComponent(value));
  if (!answer.ok || valueOf(input) !== value) return;
  const taken = answer.data.count > 0;
  if (taken) return showError(input, say(input.dataset.taken));
  const hint = byId(`${input.id}-hint`);
  hint.textContent = say('available');
  hint.classList.add('good');
}

function live(input) {
  const hint = byId(`${input.id}-hint`);
  const plain = hint?.textContent;
  input.addEventListener('input', () => {
    if (input.getAttribute('aria-invalid') === 'true') showError(input, '');
    if (!input.dataset.lookup) return;
    hint.textContent = plain;
    hint.classList.remove('good');
  });
  input.addEventListener('change', () => {
    if (!valueOf(input)) return; // An empty field is no mistake before the form is sent.
    const sentence = mistake(input);
    showError(input, sentence);
    if (!sentence && input.dataset.lookup) lookup(input);
  });
}

// ---- Sending the forms ----

const go = (path) => () => location.assign(path);

function showDone(form, body) {
  const done = $('[data-done]');
  const address = $('[data-email]', done);
  if (address) {
    address.textContent = body.email;
    $('[name=email]', done).value = body.email;
  }
  $('[data-todo]').hidden = true;
  done.hidden = false;
  $('h1', done).focus();
}

// Each flow names its call, the fields it sends (empty ones stay at home) and what follows.
const flows = {
  register: {
    path: '/v1/registrations', once: true,
    fields: ['username', 'password', 'password_repeat', 'agree', 'mobile', 'sms_code', 'email'],
    done: (form, body, data) => (data.active ? location.assign('/account') : showDone(form, body)),
  },
  password: { path: '/v1/sessions', fields: ['login', 'password', 'remember'], done: go('/account') },
  code: { path: '/v1/sessions', fields: ['mobile', 'sms_code'], done: go('/account') },
  forgot: { path: '/v1/password-resets', fields: ['mobile', 'sms_code', 'password', 'password_repeat'], done: showDone },
  activate: {
    path: '/v1/activations', fields: ['token'], done: showDone,
    refused: (answer) => { $('[data-resend]').hidden = !['4207', '4208'].includes(answer.errno); },
  },
  resend: {
    path: '/v1/activations/resend', fields: ['email'],
    done: (form) => { $('[data-said]', form).textContent = say('resent'); },
  },
  logout: { method: 'DELETE', path: '/v1/sessions/current', done: go('/login') },
};

function bodyOf(form, flow, captcha) {
  const body = {};
  const names = [...(flow.fields ?? [])];
  if (captcha && !form.elements.sms_code && !captcha.hidden) names.push('captcha_id', 'captcha');
  for (const name of names) {
    const input = form.elements[name];
    if (input && valueOf(input) !== '') body[name] = valueOf(input);
  }
  return flow.fields ? body : undefined;
}

function busy(form, on) {
  const button = $('[data-submit]', form);
  form.toggleAttribute('data-busy', on);
  form.setAttribute('aria-busy', String(on));
  button.disabled = on;
  button.dataset.label ??= button.textContent;
  button.textContent = on ? say('wait') : button.dataset.label;
}

// complete says whether a form may be sent; what is missing is shown.
function complete(form, captcha) {
  const { sms_code: code } = form.elements;
  if (!check([...form.elements].filter((element) => element.matches('input')))) {
    if (code && !code.value && !byId('code-status').textContent) showError(code, say('code_first'));
    return false;
  }
  if (code || !captcha || captcha.hidden || captcha.answer.value.trim()) return true;
  showError(captcha.answer, captcha.answer.dataset.invalid);
  captcha.answer.focus();
  return false;
}

async function submit(form, flow, captcha) {
  if (form.hasAttribute('data-busy')) return;
  alertOf(form).textContent = '';
  if (!complete(form, captcha)) return;
  const body = bodyOf(form, flow, captcha);
  busy(form, true);
  const answer = flow.once ? await callOnce(flow.path, body) : await call(flow.method ?? 'POST', flow.path, body);
  if (answer.ok) {
    flow.done(form, body, answer.data);
    if (flow === flows.resend) busy(form, false);
    return;
  }
  busy(form, false);
  if (captcha && !form.elements.sms_code) await renew(captcha, answer);
  refuse(form, answer);
  flow.refused?.(answer);
}

// renew brings a fresh captcha where the refused call has spent the old one or asks for a first.
async function renew(captcha, answer) {
  const asked = ['4201', '4202'].includes(answer.errno) || answer.fields.captcha;
  if (captcha.hidden && asked) await captcha.show();
  else if (!captcha.hidden && (asked || answer.errno === '4102')) await captcha.load();
}

function enhance(form) {
  const flow = flows[form.dataset.flow];
  form.noValidate = true;
  const root = $('[data-captcha]', form);
  const captcha = root && new Captcha(root);
  if (form.elements.sms_code) new CodeSender(form, captcha);
  if (form.dataset.flow === 'register' && form.elements.mobile) {
    Object.assign(form.elements.mobile.dataset, { lookup: '/v1/mobiles/', taken: 'mobile_taken' });
  }
  all('input', form).forEach(live);
  all('[data-meter]', form).forEach(meter);
  all('[data-peek]', form).forEach(peek);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    submit(form, flow, captcha);
  });
  // Back from the next page: the browser shows this one as it was left, still busy.
  addEventListener('pageshow', (event) => event.persisted && busy(form, false));
}

all('form[data-flow]').forEach(enhance);

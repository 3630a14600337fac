// The pages are plain forms that work without this file. It sends the same fields to the JSON API
// instead, so that mistakes show beside their field and nothing typed is lost.

import { canWork, createRequests, prove } from './usher.js';

const texts = {};
for (const p of document.getElementById('texts').content.children) texts[p.dataset.key] = p.textContent;
const say = (key, n) => (texts[key] ?? key).replace('{n}', n);

const $ = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const byId = (id) => document.getElementById(id);

// ---- The API ----

const requests = createRequests(document.documentElement.lang);

// call never throws: a network error is returned like a refusal. A call that is made once may be repeated after a lost answer,
// and cannot send a second message or open a second account.
async function call(method, path, body, once = false) {
  try {
    const { data } = await requests.send({ method, path, body, once });
    return { ok: true, errno: '0', errmsg: '', data, fields: {}, status: 200, retryAfter: 0 };
  } catch ({ errno, message, data, fields, status, retryAfter }) {
    return { ok: false, errno, errmsg: message, data, fields, status, retryAfter };
  }
}

const callOnce = (path, body) => call('POST', path, body, true);

// ---- Fields and their messages ----

// Pasted text contains more than the value. These functions accept everything that the API accepts (its package input);
// the API decides.

// tidy removes invisible characters, and white space at both ends.
const tidy = (text) => text.replace(/[\p{Cf}\p{Variation_Selector}\uFFFC]/gu, '').replace(/^[\s\x85]+|[\s\x85]+$/g, '');

// narrow turns full-width forms into ASCII, and hyphens of all kinds into one.
const narrow = (text) => tidy(tidy(text)
  .replace(/[\uFF01-\uFF5E]/g, (c) => String.fromCharCode(c.charCodeAt(0) - 0xFEE0))
  .replace(/[\p{Pd}\u2212\u02D7\u2043]/gu, '-'));

const plainMobile = (text) => narrow(text).replace(/^tel:/i, '').replace(/[\s\x85().\xB7-]/g, '').replace(/^(?:\+|00)?86(?=1\d{10}$)/, '');

// numberOf adds the chosen country code to a number that has none. Numbers of the first country stay as they were typed.
function numberOf(input) {
  const number = plainMobile(input.value);
  const { calling_code: country } = input.form.elements;
  return country?.selectedIndex > 0 && number && !/^(\+|00)/.test(number) ? country.value + number : number;
}

// isMail reports whether a field contains an address, or will: one field may take a number or an address.
const isMail = (input) => input.name === 'email' || ('either' in input.dataset && narrow(input.value).includes('@'));

// codeOf is the field for the code of a form, if it has one.
const codeOf = (form) => $('[data-code]', form);

// The names of fields that the API has for an address where the form has those for a number.
const mailNames = { mobile: 'email', sms_code_id: 'email_code_id', sms_code: 'email_code' };

// The characters of codes with letters; see secrets.Alphanumeric.
const letterCode = /^(?:\d+|[34679CDFGHJKMNPQRTVWXY]+)$/;

// lengthOfCode is 0 where it is unknown. Codes by mail may be longer than those by SMS.
function lengthOfCode({ form, dataset }) {
  const { mobile } = form.elements;
  return Number(mobile && isMail(mobile) ? dataset.mailLength : dataset.length);
}

// plainCode also finds the code of the field in a whole message: it is the only number, or word, with that many characters.
function plainCode(text, input) {
  const length = lengthOfCode(input);
  if ('letters' in input.dataset) return plainLetterCode(text, length);
  const typed = narrow(text);
  const bare = typed.replace(/[\s\x85-]/g, '');
  if (/^\d*$/.test(bare)) return bare;
  const codes = new Set((typed.match(/[A-Za-z\d]+/g) ?? []).filter((word) => /^\d+$/.test(word) && word.length === length));
  return codes.size === 1 ? [...codes][0] : typed;
}

function plainLetterCode(text, length) {
  const typed = narrow(text);
  const isCode = (word) => word.length === length && letterCode.test(word);
  const bare = typed.replace(/[\s\x85-]/g, '').toUpperCase();
  if (isCode(bare)) return bare;
  const codes = new Set((typed.match(/[A-Za-z\d]+/g) ?? []).map((word) => word.toUpperCase()).filter(isCode));
  return codes.size === 1 ? [...codes][0] : typed;
}

const passwordForm = (text) => text.normalize('NFKC'); // In which passwords are counted and compared.
const lengthOf = (password) => [...passwordForm(password)].length;

function valueOf(input) {
  if (input.type === 'checkbox') return input.checked;
  if (input.name.startsWith('password')) return input.value;
  if (input.name === 'mobile' && !isMail(input)) return numberOf(input);
  if ('code' in input.dataset) return plainCode(input.value, input);
  return tidy(input.value);
}

const isAddress = (value) => /^[^@]+@[^@]+$/.test(narrow(value));

const isCode = (value, input) => ('letters' in input.dataset ? letterCode : /^\d+$/).test(value) && [0, value.length].includes(lengthOfCode(input));

// The forms of valid values, by the names of fields.
const forms = {
  mobile: (value, input) => (isMail(input) ? isAddress(value) : ('abroad' in input.dataset ? /^\+?\d{4,17}$/ : /^1[3-9]\d{9}$/).test(value)),
  sms_code: isCode,
  email_code: isCode,
  email: isAddress,
  username: (value) => /^[\p{L}\p{N}_]{5,20}$/u.test(value.normalize('NFKC')),
  password_repeat: (value, input) => passwordForm(value) === passwordForm(input.form.elements.password.value),
};

// fold returns the same text for texts that differ only in case or in compatible forms, as the server does. Letters are folded one by
// one: a sigma at the end of a word would become another letter.
const fold = (text) => [...text.normalize('NFKC')].map((c) => c.toUpperCase().toLowerCase()).join('').normalize('NFKC');

// The passwords that the server refuses as common, once they have been loaded.
let commonPasswords = null;
let loadingCommon = null;

// loadCommon gets the list when a person begins to choose a password. Without it the server alone refuses them.
function loadCommon(input) {
  loadingCommon ??= fetch(input.dataset.common)
    .then((response) => (response.ok ? response.text() : Promise.reject(new Error(response.status))))
    .then((text) => { commonPasswords = new Set(text.split('\n')); })
    .catch(() => { loadingCommon = null; });
  return loadingCommon;
}

// isCommon reports whether a password is in the list, or is the person's own name, number or address.
function isCommon({ value, form }) {
  const folded = fold(value);
  const known = ['username', 'mobile', 'email'].map((name) => form.elements[name]).filter((field) => field?.value);
  return Boolean(commonPasswords?.has(folded)) || known.some((field) => fold(valueOf(field)) === folded);
}

// mistake is the sentence about a field's value, or an empty string.
function mistake(input) {
  if (input.closest('[hidden]') || input.type === 'hidden') return '';
  const { dataset } = input;
  const value = valueOf(input);
  if (!value) return !input.required ? '' : input.type === 'checkbox' ? dataset.invalid : say('required');
  if ('meter' in dataset && (lengthOf(value) < 8 || lengthOf(value) > 128)) return dataset.invalid;
  if ('meter' in dataset && isCommon(input)) return say('password_common');
  return forms[input.name]?.(value, input) ?? true ? '' : dataset.invalid;
}

function showError(input, sentence) {
  input.setAttribute('aria-invalid', sentence ? 'true' : 'false');
  const place = byId(`${input.id}-error`);
  if (place) tell(place, sentence);
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

// tell writes only a changed text: screen readers would read the same text of a live region again.
function tell(place, sentence) {
  if (place.textContent !== sentence) place.textContent = sentence;
}

const alertOf = (form) => $('[data-alert]', form);

// The fields of refusals that name none.
const fieldOf = { 4201: 'captcha', 4202: 'captcha', 4203: 'code', 4204: 'code', 4205: 'code' };

// refuse shows an answer's sentences, each beside its field if the form has that field.
function refuse(form, answer) {
  const fields = { ...answer.fields };
  for (const [name, mailName] of Object.entries(mailNames)) { // Where one field takes either.
    if (!fields[mailName] || form.elements[mailName] || !form.elements[name]) continue;
    fields[name] = fields[mailName];
    delete fields[mailName];
  }
  const code = codeOf(form)?.name ?? 'sms_code';
  const name = fieldOf[answer.errno];
  if (name && !Object.keys(fields).length) fields[name === 'code' ? code : name] = answer.errmsg;
  if (fields[`${code}_id`]) { // It has no place of its own: no code has been asked for.
    fields[code] = fields[`${code}_id`];
    delete fields[`${code}_id`];
  }
  const homes = [...form.elements].filter((input) => input.id && fields[input.name] && !input.closest('[hidden]'));
  homes.forEach((input) => showError(input, fields[input.name]));
  const homeless = Object.keys(fields).filter((key) => !homes.some((input) => input.name === key)).map((key) => fields[key]);
  if (answer.errno === '4102') homeless.unshift(answer.errmsg);
  if (homeless.length || !homes.length) {
    const minutes = answer.retryAfter > countable ? `\n${say('minutes', Math.ceil(answer.retryAfter / 60))}` : '';
    alertOf(form).textContent = (homeless.join(' ') || answer.errmsg) + minutes;
  }
  homes[0]?.focus();
}

// The longest countdown of a button in seconds; a longer wait is shown as a sentence.
const countable = 600;

// hold disables a button while the API would refuse the request.
const clocks = new WeakMap();
function hold(button, deadline, key, label) {
  clearInterval(clocks.get(button));
  const tick = () => {
    const left = Math.ceil((deadline - Date.now()) / 1000);
    button.disabled = left > 0;
    button.textContent = left > 0 ? say(key, left) : label;
    if (left <= 0) clearInterval(clocks.get(button));
  };
  clocks.set(button, setInterval(tick, 500));
  tick();
}

// ---- The captcha ----

// How long the vendor's captcha may take to appear, in milliseconds.
const framePatience = 8000;

class Captcha {
  constructor(root) {
    this.root = root;
    this.id = $('[name=captcha_id]', root);
    this.price = $('[name=captcha_price]', root);
    this.answer = $('[name=captcha]', root);
    this.image = $('img', root);
    this.player = $('[data-play]', root);
    this.label = $('label', root);
    this.question = this.label.textContent;
    this.hint = byId('captcha-hint');
    this.own = root.dataset.captcha === 'pow' && canWork() ? 'pow' : 'image';
    this.place = $('[data-hosted]', root); // Of a vendor's captcha, in a frame.
    this.medium = this.place ? 'hosted' : this.own;
    this.token = ''; // The vendor's, once the person has solved its captcha.
    this.turn = 0;
    this.proof = null; // Of work: a promise of what is sent for it.
    this.proving = null; // Stops the work.
    this.loading = null; // A promise while a challenge is on its way.
    this.working = $('[data-work]', root);
    this.refresh = $('[value=captcha]', root);
    this.another = this.refresh.textContent;
    const audio = $('[data-audio]', root);
    this.refresh.type = 'button';
    audio.type = 'button';
    for (const it of [this.refresh, this.image]) it.addEventListener('click', () => this.load('image', true));
    this.image.classList.add('clickable');
    audio.addEventListener('click', () => this.load('audio', true));
    this.player.addEventListener('click', () => this.play());
    if (this.place) addEventListener('message', (event) => this.hear(event));
    if (this.medium !== 'image') this.whenUsed();
    else if (!this.hidden && this.spent) this.load();
  }

  // whenUsed starts the work, or loads the vendor's captcha, when the form is used: a person who only reads the page does not
  // need it.
  whenUsed() {
    this.id.value = ''; // That of a picture for people without a script.
    this.arrange();
    this.root.closest('form').addEventListener('focusin', () => !this.hidden && this.spent && this.load(), { once: true });
  }

  // answered reports whether there is an answer to send, or one in progress.
  get answered() {
    if (this.medium === 'hosted') return this.token !== '';
    return this.medium === 'pow' ? Boolean(this.proof) : valueOf(this.answer) !== '';
  }

  // demand says that the answer is missing.
  demand(focus) {
    const hosted = this.medium === 'hosted';
    showError(this.answer, hosted ? say('hosted') : this.answer.dataset.invalid);
    if (focus) (hosted ? this.frame : this.answer)?.focus();
  }

  // given is the answer to send: the typed text and, if required, a space and the proof of work.
  async given() {
    if (this.medium === 'hosted') return this.token;
    const typed = this.medium === 'pow' ? [] : [valueOf(this.answer)];
    const proof = await this.proof;
    return [...typed, ...(proof ? [proof] : [])].join(' ');
  }

  get hidden() { return this.root.closest('[hidden]') !== null; }

  get spent() { return !this.id.value; }

  // load replaces the challenge and clears the answer to the old one.
  load(medium = this.medium, focus = false) {
    const loading = this.replace(medium, focus).finally(() => { if (this.loading === loading) this.loading = null; });
    this.loading = loading;
    return loading;
  }

  async replace(medium, focus) {
    const turn = ++this.turn;
    this.proving?.abort();
    let answer = await this.ask(medium);
    if (medium === 'hosted' && answer.ok && answer.data.kind !== 'geetest') medium = answer.data.kind; // The vendor is unavailable.
    if (medium === 'pow' && !canWork()) answer = await this.ask(medium = 'image');
    if (turn !== this.turn) return;
    if (!answer.ok) return showError(this.answer, answer.status === 429 ? answer.errmsg : say('captcha_failed'));
    const spoken = medium === 'audio';
    this.sound?.pause();
    this.medium = medium; // A person who uses recordings gets a recording again.
    this.id.value = answer.data.captcha_id;
    this.proof = answer.data.challenge ? this.prove(answer.data.challenge, turn) : null;
    this.arrange();
    this.answer.value = '';
    this.answer.disabled = false;
    this.root.classList.remove('spent');
    this.image.hidden = spoken;
    this.player.hidden = !spoken;
    this.label.textContent = spoken ? say('spoken') : this.question;
    tell(this.hint, '');
    this.unframe();
    if (medium === 'hosted') this.showFrame();
    if (medium === 'pow' || medium === 'hosted') return showError(this.answer, '');
    if (spoken) this.sound = new Audio(answer.data.audio);
    else this.image.src = answer.data.image;
    if (focus) {
      showError(this.answer, '');
      this.answer.focus();
    }
    if (spoken) this.play();
  }

  // arrange shows the elements of the medium.
  arrange() {
    const hosted = this.medium === 'hosted';
    const silent = this.medium === 'pow' || hosted;
    if (this.place) this.place.hidden = !hosted;
    this.working.hidden = hosted || (!silent && !this.proof);
    this.label.hidden = silent;
    $('.captcha', this.root).hidden = silent;
    this.refresh.textContent = silent ? say('picture') : this.another;
    this.report(0);
  }

  // showFrame shows the vendor's captcha. Its page has an origin of its own, so that the vendor's script cannot read this one.
  // When it does not come, our own captcha is shown.
  showFrame() {
    const frame = document.createElement('iframe');
    frame.setAttribute('sandbox', 'allow-scripts allow-popups');
    frame.title = say('hosted_title');
    frame.src = this.root.dataset.frame;
    this.frame = frame;
    this.place.append(frame);
    this.patience = setTimeout(() => this.useOwn(), framePatience);
  }

  unframe() {
    clearTimeout(this.patience);
    this.frame?.remove();
    this.frame = null;
    this.token = '';
  }

  // hear takes the messages of the frame. Their origin is opaque, so their source tells that they are of this frame.
  hear({ source, data }) {
    if (!this.frame || source !== this.frame.contentWindow) return;
    if (data.captcha === 'ready') clearTimeout(this.patience);
    if (data.captcha === 'failed') this.useOwn();
    if (data.captcha === 'size' && data.height > 0) this.frame.style.height = `${Math.min(data.height, 480)}px`;
    if (data.captcha === 'solved' && typeof data.token === 'string' && !this.spent) {
      this.token = data.token;
      showError(this.answer, '');
    }
  }

  // useOwn replaces the vendor's captcha by ours, until the page is loaded again.
  useOwn() {
    this.unframe();
    this.load(this.own);
  }

  report(part) {
    $('progress', this.working).value = part;
    const done = part >= 1;
    const sentence = say(done ? 'worked' : this.proof ? 'working' : 'work');
    const place = $('[role=status]', this.working);
    if (place.textContent !== sentence) place.textContent = sentence;
  }

  // prove does the work. When it fails, the next send asks for another challenge.
  async prove(challenge, turn) {
    await null; // The proof is known to be on its way.
    const { signal } = this.proving = new AbortController();
    const onProgress = (part) => this.report(Math.min(part, 0.99));
    const proof = await prove(challenge, { signal, onProgress }).catch(() => null);
    if (proof && turn === this.turn) this.report(1);
    return proof;
  }

  // ask gets a challenge. A recording always replaces a picture.
  async ask(medium) {
    const price = this.price.value || undefined;
    let picture = this.medium === 'image' && this.id.value;
    if (medium === 'pow' || medium === 'hosted') return call('POST', '/v1/captchas', { kind: medium, price });
    if (medium === 'image' || !picture) {
      const answer = await call('POST', '/v1/captchas', { kind: 'image', price });
      if (medium === 'image' || !answer.ok) return answer;
      picture = answer.data.captcha_id;
    }
    this.id.value = ''; // Whatever the answer, that picture is spent.
    return call('POST', '/v1/captchas', { kind: 'audio', replaces: picture, price });
  }

  play() {
    this.sound.currentTime = 0;
    this.sound.play().catch(() => {}); // Refused by the browser's policy: the button is there.
  }

  // heed sets the price and the kind of the next challenge to what a refusal requires. It reports whether that costs the
  // computer time and the person nothing. Prices only rise, so it says so twice at most.
  heed(answer) {
    const wanted = answer.data.captcha_price;
    const isNew = Boolean(wanted) && wanted !== this.price.value;
    if (isNew) this.price.value = wanted;
    if (answer.data.captcha_kind && this.medium === 'hosted') this.medium = this.own;
    return isNew && this.medium === 'pow';
  }

  // spend marks this challenge as used. It stays visible, so that the layout does not move.
  spend() {
    this.sound?.pause();
    this.id.value = this.answer.value = this.token = '';
    this.proof = null;
    this.answer.disabled = true;
    this.root.classList.add('spent');
    showError(this.answer, '');
    tell(this.hint, say('again'));
  }

  async show() {
    this.root.closest('[data-demand]')?.removeAttribute('hidden');
    await this.load();
  }
}

// ---- The code by SMS or by mail ----

// Seconds between requests for the status of a message: about a minute and a half in all.
const looks = [1, 2, 3, 5, 8, 6, 15, 22, 30];

// Seconds after which a second way is offered to a person to whom nothing came.
const patience = 25;

// codeKey is the key of a form's countdown in the session storage, which survives a reload.
const codeKey = (form) => `usher.code.${form.dataset.purpose}${codeOf(form)?.name === 'email_code' ? '.mail' : ''}`;

class CodeSender {
  constructor(form, captcha) {
    this.form = form;
    this.captcha = captcha;
    this.button = $('[value=send_code]', form);
    this.code = codeOf(form);
    this.field = form.elements[`${this.code.name}_id`];
    this.to = form.elements[this.code.name === 'email_code' ? 'email' : 'mobile'];
    this.optional = !this.code.required; // A link proves the address when no code is asked for.
    this.mail = false; // Whether the code went by mail.
    this.status = byId('code-status');
    this.label = this.button.textContent;
    this.key = codeKey(form);
    this.again = $('[value=second_way]', this.status);
    this.againLabel = this.again.textContent;
    this.again.type = 'button';
    this.again.hidden = false;
    this.again.remove(); // Until it is offered.
    this.again.addEventListener('click', () => this.sendAgain());
    this.button.type = 'button';
    this.button.addEventListener('click', () => this.send());
    // Take the code from a pasted message.
    this.code.addEventListener('input', () => {
      const { value } = this.code;
      const code = plainCode(value, this.code);
      if (code !== value && isCode(code, this.code)) this.code.value = code;
    });
    // A number or address corrected after sending is another one: it does not have to wait.
    for (const field of [this.to, form.elements.calling_code]) {
      field?.addEventListener('input', () => {
        if (this.sentTo && valueOf(this.to) !== this.sentTo) this.forget();
      });
    }
    this.resume();
  }

  // The typed digits are sent with the id of the code that this form waits for.
  get id() { return this.field.value; }

  set id(id) {
    this.field.value = id;
    if (this.optional) this.code.required = id !== '';
  }

  // resume continues after a reload, or after the server has sent the code for a plain form.
  resume() {
    const plain = Number(this.button.dataset.resendAfter);
    let kept = null;
    try { kept = JSON.parse(sessionStorage.getItem(this.key)); } catch { /* Another program's value counts as none. */ }
    $('[data-wait]', this.status)?.remove(); // The button counts instead.
    const counting = plain > 0 || kept?.deadline > Date.now();
    if (kept?.id && !this.id && (counting || !this.optional)) this.id = kept.id; // The code outlives the countdown.
    if (!counting) return;
    this.mail = kept?.mail ?? isMail(this.to);
    if (this.to.value) this.sentTo = valueOf(this.to);
    this.label = say('resend');
    if (this.captcha) tell(this.captcha.hint, say('again'));
    if (plain > 0) return this.wait(plain);
    hold(this.button, kept.deadline, 'countdown', this.label);
    this.watch();
  }

  async send() {
    if (this.button.disabled) return;
    if (this.captcha?.spent) {
      await (this.captcha.loading ?? this.captcha.load(undefined, true)); // One challenge is enough.
      if (this.captcha.medium !== 'pow' || this.captcha.spent) return; // There is something to type first.
    }
    alertOf(this.form).textContent = '';
    if (!this.ready()) return;
    const mail = isMail(this.to);
    const body = { [mail ? 'email' : 'mobile']: valueOf(this.to), purpose: this.form.dataset.purpose };
    if (this.id) body[mail ? 'email_code_id' : 'sms_code_id'] = this.id; // The new code takes the place of that one.
    this.button.disabled = true;
    this.button.textContent = say('wait');
    if (this.captcha) Object.assign(body, { captcha_id: this.captcha.id.value, captcha: await this.captcha.given() });
    const answer = await callOnce(mail ? '/v1/email-codes' : '/v1/sms-codes', body);
    this.button.disabled = false;
    this.button.textContent = this.label;
    if (answer.ok) this.sent(answer.data, mail, body.email ?? body.mobile);
    else this.refused(answer);
  }

  ready() {
    const inputs = [this.to];
    if (this.captcha) inputs.push(this.captcha.answer);
    const fine = check(inputs);
    if (!this.captcha || this.captcha.answered) return fine;
    this.captcha.demand(fine);
    return false;
  }

  sent(data, mail, to) {
    this.id = data.email_code_id ?? data.sms_code_id;
    this.mail = mail;
    this.sentTo = to;
    this.isSecond = false;
    this.label = say('resend');
    this.captcha?.spend();
    this.tell('queued');
    this.wait(data.resend_after);
    showError(this.code, '');
    this.code.value = '';
    this.code.focus();
    this.watch();
  }

  // sendAgain has the same code sent by another way.
  async sendAgain() {
    const { id } = this;
    alertOf(this.form).textContent = '';
    this.again.disabled = true;
    const answer = await callOnce(`/v1/sms-codes/${encodeURIComponent(id)}/resend`, { via: 'sms' });
    if (id !== this.id) return;
    this.again.disabled = false;
    if (!answer.ok) {
      refuse(this.form, answer);
      if (answer.retryAfter > 0 && answer.retryAfter <= countable) this.offer({ after: answer.retryAfter });
      else if (answer.status) this.offer(null);
      return;
    }
    this.isSecond = true;
    this.offer(null);
    this.tell('queued');
    this.wait(answer.data.resend_after);
    showError(this.code, '');
    this.code.focus();
    this.watch();
  }

  // offer shows the button for the second way, or removes it for null.
  offer(way) {
    if (!way) return this.again.remove();
    if (!this.again.isConnected) this.status.append(' ', this.again);
    hold(this.again, Date.now() + way.after * 1000, 'second_way_in', this.againLabel);
  }

  async refused(answer) {
    if (this.captcha?.heed(answer)) {
      await this.captcha.load();
      if (!this.captcha.spent) return this.send();
    }
    refuse(this.form, answer);
    if (answer.retryAfter > 0 && answer.retryAfter <= countable) this.wait(answer.retryAfter);
    if (answer.status) this.captcha?.load(); // An answer has spent it, whatever it says.
  }

  // forget returns to the state before the first request for a code.
  forget() {
    this.id = '';
    this.isSecond = false;
    this.sentTo = undefined;
    this.wait(0);
    this.status.textContent = this.status.dataset.said = '';
    if (this.captcha?.spent) this.captcha.load();
  }

  wait(seconds) {
    const deadline = Date.now() + (seconds > 0 ? seconds : 0) * 1000;
    try {
      sessionStorage.setItem(this.key, JSON.stringify({ id: this.id, mail: this.mail, deadline }));
    } catch { /* Storage is full or forbidden; only a reload needs it. */ }
    hold(this.button, deadline, 'countdown', this.label);
  }

  // watch follows the message until its outcome is known, the person requests another one, or the time is over.
  async watch() {
    const id = this.id;
    if (!id) return;
    const turn = this.watches = (this.watches ?? 0) + 1;
    const isOver = () => id !== this.id || turn !== this.watches;
    let delayed = false;
    let waited = 0;
    for (const seconds of looks) {
      await new Promise((done) => setTimeout(done, seconds * 1000));
      while (document.hidden) await new Promise((done) => document.addEventListener('visibilitychange', done, { once: true }));
      if (isOver()) return;
      const answer = await call('GET', `/v1/${this.mail ? 'email' : 'sms'}-codes/${encodeURIComponent(id)}`);
      if (isOver() || answer.status === 404) return;
      waited += seconds;
      if (!answer.ok) continue;
      const { status, resend_after: again, second_way: ways } = answer.data;
      this.tell(status);
      if (again !== undefined) this.wait(again);
      const way = ways?.find(({ via }) => via === 'sms');
      this.offer(way && (waited >= patience || ['failed', 'undelivered'].includes(status)) ? way : null);
      if (!['queued', 'delayed', 'sent'].includes(status)) return;
      delayed = status === 'delayed';
    }
    if (delayed) return;
    const offered = this.again.isConnected;
    this.tell('slow');
    if (offered) this.status.append(' ', this.again);
  }

  tell(status) {
    if (status === 'undelivered') status = 'failed';
    if (this.isSecond && ['queued', 'sent'].includes(status)) status = 'sent_again';
    const sentence = texts[this.mail ? `mail_${status}` : status] ?? texts[status];
    if (!sentence) return; // "used": the form is on its way already.
    if (this.status.dataset.said === sentence) return;
    this.status.dataset.said = sentence;
    this.status.textContent = sentence;
    this.status.classList.toggle('good', status === 'delivered');
    if (this.mail || !['failed', 'delayed'].includes(status)) return;
    for (const [path, other] of [['/register?mode=email', 'failed_email'], ['/login', 'instead_password'], ['/login?mode=password', 'instead_password']]) {
      const tab = $(`.tabs a[href="${path}"]`);
      if (!tab) continue;
      const link = document.createElement('a');
      link.href = tab.href;
      link.textContent = say(other);
      this.status.append(' ', link);
    }
  }
}

// ---- Help while typing ----

function meter(input) {
  const bar = byId(`${input.id}-meter`);
  const hint = byId(`${input.id}-hint`);
  const plain = hint.textContent;
  input.addEventListener('focus', () => loadCommon(input), { once: true });
  input.addEventListener('input', async () => {
    const { value } = input;
    const length = lengthOf(value);
    if (length >= 8) await loadCommon(input);
    if (value !== input.value) return; // The person has typed on meanwhile.
    const common = length >= 8 && isCommon(input);
    const level = length < 8 || common ? 0 : length < 12 ? 1 : length < 16 ? 2 : 3;
    if (!length) delete bar.dataset.level;
    else bar.dataset.level = level;
    hint.textContent = !length ? plain
      : common ? say('password_common') : level ? say(['', 'password_min', 'password_good', 'password_strong'][level])
        : say('password_more', 8 - length);
  });
}

function peek(button) {
  const inputs = all('input[type=password]', button.form);
  const show = (on) => {
    button.setAttribute('aria-label', say(on ? 'hide_password' : 'show_password'));
    button.textContent = say(on ? 'hide' : 'show');
    for (const input of inputs) input.type = on ? 'text' : 'password';
  };
  button.hidden = false;
  button.addEventListener('click', () => show(inputs[0].type === 'password'));
  // Password managers save passwords only from password fields.
  button.form.addEventListener('submit', () => show(false), { capture: true });
  show(false);
}

// lookup asks whether a name or number is taken. It is only a hint: the registration checks again.
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
    tell(hint, plain);
    hint.classList.remove('good');
  });
  input.addEventListener('change', () => {
    if (!valueOf(input)) return; // An empty field is no mistake before the form is sent.
    const sentence = mistake(input);
    showError(input, sentence);
    if (!sentence && input.dataset.lookup) lookup(input);
  });
}

// ---- What was typed ----

// What was typed into these pages is kept in the storage of the browser's tab, without passwords, codes and captchas, until it was sent:
// a reload, the other language and the other tab of the form show it again.
const keepsTyped = ['/register', '/login', '/forgot'].includes(location.pathname);
const typedKey = `usher.typed${location.pathname}`;

const isKept = (input) => input.name && !['hidden', 'password', 'submit', 'button'].includes(input.type) &&
  !input.name.startsWith('password') && input.name !== 'captcha' && !('code' in input.dataset);

function readTyped() {
  try {
    return JSON.parse(sessionStorage.getItem(typedKey)) ?? {};
  } catch {
    return {}; // Storage is forbidden, or another program's value.
  }
}

function keepTyped(form) {
  const typed = readTyped();
  for (const input of [...form.elements].filter(isKept)) typed[input.name] = input.type === 'checkbox' ? input.checked : input.value;
  try { sessionStorage.setItem(typedKey, JSON.stringify(typed)); } catch { /* Storage is full or forbidden. */ }
}

function forgetTyped() {
  try { sessionStorage.removeItem(typedKey); } catch { /* Storage is forbidden: nothing was stored. */ }
}

// restoreTyped fills in what is empty. The server's own values are newer.
function restoreTyped(form) {
  const typed = readTyped();
  for (const input of [...form.elements].filter(isKept)) {
    const value = typed[input.name];
    if (input.type === 'checkbox') input.checked ||= value === true;
    else if (input.tagName === 'SELECT') input.value = [...input.options].some((option) => option.value === value) ? value : input.value;
    else if (!input.value && typeof value === 'string') input.value = value;
  }
  for (const event of ['input', 'change']) form.addEventListener(event, () => keepTyped(form));
}

// ---- Sending the forms ----

// landing is where a person who is signed in goes: the address that the server has checked, or the account's page.
const landing = document.documentElement.dataset.next ?? '/account';

// landingFor tells the page of another site what the registration has left to do.
function landingFor({ email, email_active: proved }) {
  const url = new URL(landing, location.href);
  if (url.origin !== location.origin && email && !proved) url.searchParams.set('usher-todo', 'email');
  return url.href;
}

const go = (path) => () => location.assign(path);

function showDone() {
  const done = $('[data-done]');
  $('[data-todo]').hidden = true;
  done.hidden = false;
  $('h1', done).focus();
}

// backSaying stores a sentence for /account, which shows it once; see below.
const saidKey = 'usher.said';
function backSaying(key) {
  return () => {
    try { sessionStorage.setItem(saidKey, key); } catch { /* The page shows the change itself. */ }
    location.assign('/account');
  };
}

// signedIn goes on. The page /account says so when the sign-in has made it or has taken its deletion back, and asks for a consent.
const signedIn = (form, body, data) => {
  if (data.deletion_canceled) return backSaying('said_kept')();
  if (data.consent_due) return go('/account')();
  return (data.created && landing === '/account' ? backSaying('said_created') : go(landing))();
};

// ended removes sessions from the list. It moves the focus, which was on a removed button.
function ended(rows, key) {
  rows.forEach((row) => row.remove());
  if (!$('.sessions li:not([data-current])')) $('[data-flow=end_others]')?.remove();
  byId('said').textContent = say(key);
  byId('sessions-title').focus();
}

// Each flow has its call, the fields to send (empty ones are left out) and what follows.
const flows = {
  register: {
    path: '/v1/registrations', once: true,
    fields: ['username', 'password', 'password_repeat', 'agree', 'mobile', 'sms_code_id', 'sms_code', 'email', 'email_code_id', 'email_code'],
    done: (form, body, data) => {
      if (data.active && landing === '/account') return backSaying('said_created')();
      return location.assign(data.active ? landingFor(data) : '/check-mail');
    },
  },
  password: {
    path: '/v1/sessions', fields: ['login', 'password', 'remember'], done: signedIn,
    refused: (form, answer) => { $('[data-waiting]').hidden = !answer.data.waiting; },
  },
  code: {
    path: '/v1/sessions', fields: ['mobile', 'sms_code_id', 'sms_code', 'email', 'email_code_id', 'email_code', 'agree'],
    done: signedIn,
    refused: (form, answer) => { $('[data-second-proof]').hidden = answer.errno !== '4210'; },
  },
  forgot: {
    path: '/v1/password-resets', done: showDone,
    fields: ['mobile', 'sms_code_id', 'sms_code', 'email', 'email_code_id', 'email_code', 'password', 'password_repeat'],
  },
  undo: {
    path: '/v1/account-changes/undo', fields: ['token', 'mobile', 'sms_code_id', 'sms_code', 'password', 'password_repeat'],
    done: (form, body, data) => {
      const lost = (data.not_restored ?? []).map((field) => say(field === 'email' ? 'lost_email' : 'lost_mobile'));
      if (lost.length) $('[data-lost]').textContent = say('lost') + lost.join(', ');
      showDone();
    },
  },
  activate: {
    path: '/v1/activations', fields: ['token', 'password', 'password_repeat'], done: showDone,
    refused: (form, answer) => {
      const asks = answer.errno === '4210' || answer.fields.password;
      if (asks && !form.elements.password) { form.submit(); return; } // the page comes back with the field
      const dead = ['4207', '4208'].includes(answer.errno);
      $('[data-resend]').hidden = !dead;
      $('[data-submit]', form).hidden = form.previousElementSibling.hidden = dead;
    },
  },
  decline: { path: '/v1/activations/decline', fields: ['token'], done: showDone },
  resend: {
    path: '/v1/activations/resend', fields: ['email'],
    done: (form, body) => { $('[data-said]', form).textContent = say(body.email ? 'resent' : 'resent_own'); },
  },
  correct: { path: '/v1/activations/correct', fields: ['email'], done: go('/check-mail') },
  logout: { method: 'DELETE', path: '/v1/sessions/current', done: go('/login') },
  own_username: { method: 'PUT', path: '/v1/account/username', fields: ['username'], done: backSaying('said_username') },
  own_password: {
    method: 'PUT', path: '/v1/account/password', fields: ['password_current', 'password', 'password_repeat'], done: backSaying('said_password'),
  },
  own_email: {
    method: 'PUT', path: '/v1/account/email', fields: ['email', 'email_code_id', 'email_code', 'password'],
    done: (form, body) => backSaying(body.email_code ? 'said_email_proved' : 'said_email')(),
  },
  own_mobile: { method: 'PUT', path: '/v1/account/mobile', fields: ['mobile', 'sms_code_id', 'sms_code', 'password'], done: backSaying('said_mobile') },
  // The forms behind the button of a mail with a code.
  code_register: {
    path: '/v1/registrations', once: true, fields: ['username', 'password', 'password_repeat', 'agree', 'email_code_token'],
    done: (form, body) => signedIn(form, body, { created: true }),
  },
  code_login: { path: '/v1/sessions', fields: ['email_code_token', 'agree'], done: signedIn },
  code_reset: { path: '/v1/password-resets', fields: ['email_code_token', 'password', 'password_repeat'], done: showDone },
  code_email: { method: 'PUT', path: '/v1/account/email', fields: ['email_code_token', 'password'], done: backSaying('said_email_proved') },
  end_session: {
    method: 'DELETE', path: (form) => `/v1/sessions/${encodeURIComponent(form.elements.session.value)}`,
    done: (form) => ended([form.closest('li')], 'said_end_session'),
  },
  end_others: {
    method: 'DELETE', path: '/v1/sessions', done: () => ended(all('.sessions li:not([data-current])'), 'said_end_others'),
  },
};

// isGuarded reports whether the captcha is for the form itself, and not for its code: that is also so where no code is typed.
const isGuarded = (form) => !codeOf(form) || (form.dataset.flow === 'register' && !codeOf(form).required && !codeOf(form).value);

function bodyOf(form, flow, captcha) {
  const body = {};
  const names = [...(flow.fields ?? [])];
  if (captcha && isGuarded(form) && !captcha.hidden) names.push('captcha_id', 'captcha');
  const mail = form.elements.mobile && isMail(form.elements.mobile);
  for (const name of names) {
    const input = form.elements[name];
    if (input && valueOf(input) !== '') body[(mail && mailNames[name]) || name] = valueOf(input);
  }
  return flow.fields ? body : undefined;
}

function busy(form, on) {
  const button = $('[data-submit]', form);
  form.setAttribute('aria-busy', String(on));
  button.disabled = on;
  button.dataset.label ??= button.textContent;
  button.textContent = on ? say('wait') : button.dataset.label;
}

// complete reports whether a form may be sent, and shows what is missing.
function complete(form, captcha) {
  const code = codeOf(form);
  if (!check([...form.elements].filter((element) => element.matches('input')))) {
    if (code?.required && !code.value && !byId('code-status').textContent) showError(code, say('code_first'));
    return false;
  }
  if (!isGuarded(form) || !captcha || captcha.hidden || captcha.answered) return true;
  captcha.demand(true);
  return false;
}

async function submit(form, flow, captcha) {
  const button = $('[data-submit]', form);
  if (button.disabled) return;
  alertOf(form).textContent = '';
  if (!complete(form, captcha)) return;
  const body = bodyOf(form, flow, captcha);
  busy(form, true);
  if (body && 'captcha_id' in body) body.captcha = await captcha.given();
  const path = typeof flow.path === 'function' ? flow.path(form) : flow.path;
  const answer = flow.once ? await callOnce(path, body) : await call(flow.method ?? 'POST', path, body);
  if (answer.ok) {
    try { sessionStorage.removeItem(codeKey(form)); } catch { /* Storage is forbidden: nothing was stored. */ }
    if (keepsTyped) forgetTyped();
    flow.done(form, body, answer.data);
    if (flow === flows.resend) busy(form, false);
    return;
  }
  busy(form, false);
  if (captcha && isGuarded(form)) renew(captcha, answer);
  refuse(form, answer);
  if (answer.retryAfter > 0 && answer.retryAfter <= countable) {
    hold(button, Date.now() + answer.retryAfter * 1000, 'later', button.textContent);
  }
  flow.refused?.(form, answer);
}

// renew gets a new captcha when the refused call has spent the old one or requires a first one.
function renew(captcha, answer) {
  captcha.heed(answer);
  const asked = ['4201', '4202'].includes(answer.errno) || answer.fields.captcha;
  if (captcha.hidden && asked) captcha.show();
  else if (!captcha.hidden && answer.status) captcha.load();
}

function enhance(form) {
  const flow = flows[form.dataset.flow];
  form.noValidate = true;
  if (keepsTyped) restoreTyped(form);
  const root = $('[data-captcha]', form);
  const captcha = root && new Captcha(root);
  const sender = codeOf(form) && new CodeSender(form, captcha);
  if (form.dataset.flow === 'register' && form.elements.mobile) {
    Object.assign(form.elements.mobile.dataset, { lookup: '/v1/mobiles/', taken: 'mobile_taken' });
  }
  all('input', form).forEach(live);
  all('[data-meter]', form).forEach(meter);
  all('[data-peek]', form).forEach(peek);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    // Enter presses the hidden button: it requests a code when the captcha has just been answered.
    const answered = sender?.code.required && document.activeElement === captcha?.answer && event.submitter?.matches('.away');
    if (answered) sender.send();
    else submit(form, flow, captcha);
  });
  // Back from the next page: the browser restores this one as it was, still busy.
  addEventListener('pageshow', (event) => event.persisted && busy(form, false));
}

all('form[data-flow]').forEach(enhance);

// ---- The account ----

// Sessions live for days, so the year is left out.
const timeForm = { month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit' };
for (const time of all('time')) time.textContent = new Date(time.dateTime).toLocaleString(document.documentElement.lang, timeForm);

// What was done is read out when it gets the focus: screen readers announce live regions only when they change.
const said = byId('said');
if (said) {
  try {
    const key = sessionStorage.getItem(saidKey);
    sessionStorage.removeItem(saidKey);
    if (key) said.textContent = say(key);
  } catch { /* Storage is forbidden: nothing was stored. */ }
  said.tabIndex = -1;
  if (said.textContent && !location.hash) said.focus();
}

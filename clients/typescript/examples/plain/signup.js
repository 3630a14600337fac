import { createUsher, solve } from 'usher-client';

const $ = (selector, root = document) => root.querySelector(selector);
const language = $('#language');
const usher = createUsher({ baseURL: $('meta[name=usher]').content, language: language.value });
language.onchange = () => { usher.language = language.value; };

// ---- Refusals: beside their field where there is one, else above the page ----

const fieldOf = { 4201: 'captcha', 4202: 'captcha', 4203: 'sms_code', 4204: 'sms_code', 4205: 'sms_code' };

function refuse(error, form) {
  const fields = { ...error.fields };
  if (fieldOf[error.errno]) fields[fieldOf[error.errno]] = error.message;
  fields.sms_code = fields.sms_code_id ?? fields.sms_code; // no code was asked for
  let shown = false;
  for (const place of form?.querySelectorAll('[data-error]') ?? []) {
    place.textContent = fields[place.dataset.error] ?? '';
    shown ||= place.textContent !== '';
  }
  $('[role=alert]').textContent = shown ? '' : error.message;
}

// attempt runs what a person asked for, once at a time, and shows why it did not work.
async function attempt(button, form, action) {
  button.disabled = true;
  refuse({ message: '' }, form);
  try {
    await action();
  } catch (error) {
    refuse(error, form);
  }
  if (!button.dataset.counting) button.disabled = false;
}

// ---- Captchas: a new one whenever the old one may be spent ----

const captchas = new Map(); // by form
const prices = new Map(); // of forms for which a normal captcha is not enough

async function newCaptcha(form) {
  const place = $('[data-captcha]', form);
  place.hidden = false;
  const captcha = await usher.createCaptcha({ price: prices.get(form) });
  captchas.set(form, captcha);
  $('img', place).src = captcha.image;
  form.elements.captcha.value = '';
}

// solved is what answers the form's captcha: the text, and a proof of work while codes are in demand.
const solved = (form) => solve(captchas.get(form), form.elements.captcha.value);

for (const image of document.querySelectorAll('[data-captcha] img')) {
  image.onclick = () => newCaptcha(image.closest('form')).catch(refuse);
}

// ---- The code ----

function countDown(button, seconds) {
  const label = (button.dataset.label ??= button.textContent);
  const end = Date.now() + seconds * 1000;
  const tick = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    button.disabled = left > 0;
    button.textContent = left > 0 ? `${label} (${left})` : label;
    if (left > 0) button.dataset.counting = setTimeout(tick, 500);
    else delete button.dataset.counting;
  };
  clearTimeout(button.dataset.counting);
  tick();
}

async function follow(id, place) {
  for await (const { status } of usher.watchCode(id)) place.textContent = status;
}

const register = $('#register');
const { send } = register.elements;
send.onclick = () => attempt(send, register, async () => {
  const status = $('[data-status]', register);
  try {
    const code = await usher.sendCode({
      ...values(register, 'mobile', 'sms_code_id'), ...await solved(register), purpose: 'register',
    });
    register.elements.sms_code_id.value = code.sms_code_id;
    countDown(send, code.resend_after);
    status.textContent = 'queued';
    follow(code.sms_code_id, status).catch(refuse);
  } catch (error) {
    if (error.data?.captcha_price) prices.set(register, error.data.captcha_price);
    if (error.retryAfter) countDown(send, error.retryAfter);
    throw error;
  } finally {
    await newCaptcha(register);
  }
});

// ---- Registering, signing in and out ----

function values(form, ...names) {
  const body = {};
  for (const name of names) {
    const { type, value, checked } = form.elements[name];
    if (type === 'checkbox') body[name] = checked;
    else if (value !== '') body[name] = value;
  }
  return body;
}

register.onsubmit = (event) => {
  event.preventDefault();
  attempt(event.submitter, register, async () => {
    const body = values(register, 'username', 'password', 'password_repeat', 'agree', 'mobile', 'sms_code_id', 'sms_code', 'email');
    if (!body.mobile) Object.assign(body, await solved(register));
    await usher.register(body);
    await show();
  });
};

const login = $('#login');
login.onsubmit = (event) => {
  event.preventDefault();
  attempt(event.submitter, login, async () => {
    const body = values(login, 'login', 'password', 'captcha');
    if (body.captcha) Object.assign(body, await solved(login));
    try {
      await usher.signIn(body);
    } catch (error) {
      if (error.data?.captcha_price) prices.set(login, error.data.captcha_price);
      if (['4201', '4202'].includes(error.errno) || body.captcha) await newCaptcha(login);
      throw error;
    }
    await show();
  });
};

const out = $('#account button');
out.onclick = () => attempt(out, null, async () => {
  await usher.signOut();
  await show();
});

// show displays the account, or the forms when no one is signed in.
async function show() {
  const account = await usher.currentSession();
  $('#account').hidden = !account;
  register.hidden = login.hidden = Boolean(account);
  if (account) $('#account p').textContent = [account.username, account.mobile, account.email].join(' · ');
  else await newCaptcha(register);
}

// ---- The link of an activation mail ----

const token = new URLSearchParams(location.search).get('token');
const activation = $('#activate');
activation.hidden = !token;
activation.onsubmit = (event) => {
  event.preventDefault();
  attempt($('#activate button'), activation, async () => {
    const { password, password_repeat: repeat } = activation.elements;
    const body = { token };
    if (password.value) body.password = password.value;
    if (repeat.value) body.password_repeat = repeat.value;
    try {
      $('#activate output').textContent = (await usher.activate(body)).email;
    } catch (error) {
      // 4103 asks for a new password, twice; 4210 and 4106 for the current one of an account in use.
      if (error.fields?.password || error.errno === '4210') password.closest('p').hidden = false;
      if (error.fields?.password_repeat) repeat.closest('p').hidden = false;
      throw error;
    }
    await show();
  });
};

show().catch(refuse);

// Registration by address alone and what follows it: the mail, the same mail again, a corrected address, the link. And the sign-in.
import { type FormEvent, type ReactNode, StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { type AccountFields, type Captcha, createUsher, Refusal, solve } from 'usher-client';
import { texts } from './texts.js';

const usher = createUsher({ baseURL: 'https://signup.example.com', language: 'zh-CN' });

type Language = keyof typeof texts;
type View = 'register' | 'mailed' | 'signIn' | 'activate' | 'account';
type Errors = Record<string, string>;

// Mails link to /activate?token=…; the token is sent on a click only, as mail scanners open links.
const linkToken = new URLSearchParams(location.search).get('token');

// sentences are those of a refusal by field; "form" has what is about no field.
function sentences({ errno, message, fields }: Refusal): Errors {
  if (Object.keys(fields).length) return fields;
  return { [errno === '4201' || errno === '4202' ? 'captcha' : 'form']: message };
}

function App() {
  const [language, setLanguage] = useState<Language>('zh-CN');
  const [view, setView] = useState<View>(linkToken ? 'activate' : 'register');
  const [account, setAccount] = useState<AccountFields | null>(null);
  const [captcha, setCaptcha] = useState<Captcha>();
  const [errors, setErrors] = useState<Errors>({});
  const [notice, setNotice] = useState('');
  const [busy, setBusy] = useState(false);
  const [asksCaptcha, setAsksCaptcha] = useState(true); // A sign-in asks for one only after a few tries.
  const [asksPassword, setAsksPassword] = useState(false); // A link that is opened in another browser asks for a new one.
  const t = texts[language];

  const newCaptcha = async () => setCaptcha(await usher.createCaptcha());

  useEffect(() => {
    const stop = new AbortController();
    usher.currentSession({ signal: stop.signal }).then(async (current) => {
      setAccount(current);
      if (current && !linkToken) setView('account');
      else if (!linkToken) await newCaptcha();
    }).catch((error: unknown) => {
      if (!stop.signal.aborted && error instanceof Refusal) setErrors(sentences(error));
    });
    return () => stop.abort();
  }, []);

  // submits makes the handler of a form: one request at a time, refusals beside their fields, a new captcha after each.
  const submits = (action: (value: (name: string) => string, answer: { captcha_id: string; captcha: string } | undefined) => Promise<void>) =>
    async (event: FormEvent<HTMLFormElement>) => {
      event.preventDefault();
      const data = new FormData(event.currentTarget);
      const value = (name: string) => String(data.get(name) ?? '');
      setBusy(true);
      setErrors({});
      setNotice('');
      try {
        await action(value, captcha && data.has('captcha') ? await solve(captcha, value('captcha')) : undefined);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        setErrors(sentences(error));
        setAsksPassword((asked) => asked || 'password' in error.fields || error.errno === '4210');
        if (view === 'signIn' && (error.errno === '4201' || error.errno === '4202')) setAsksCaptcha(true);
        await newCaptcha().catch(() => {}); // The next press of the button says what is wrong.
      } finally {
        setBusy(false);
      }
    };

  const register = submits(async (value, answer) => {
    const opened = await usher.register({
      username: value('username'), email: value('email'), password: value('password'), password_repeat: value('password_repeat'),
      agree: value('agree') === 'on', ...answer,
    });
    setAccount(opened);
    setView(opened.active ? 'account' : 'mailed');
    await newCaptcha();
  });

  const resend = submits(async () => {
    await usher.resendActivation(); // of this session: no address is needed
    setNotice(t.resent);
  });

  const correct = submits(async (value, answer) => {
    setAccount(await usher.correctAddress({ email: value('email'), ...answer }));
    await newCaptcha();
  });

  const activate = submits(async (value) => {
    const passwords = asksPassword ? { password: value('password'), password_repeat: value('password_repeat') } : {};
    await usher.activate({ token: linkToken ?? '', ...passwords });
    setNotice(t.proved);
    setAccount(await usher.currentSession());
    setView('account');
  });

  const signIn = submits(async (value, answer) => {
    setAccount(await usher.signIn({ login: value('login'), password: value('password'), ...answer }));
    setView('account');
  });

  const signOut = submits(async () => {
    await usher.signOut();
    setAccount(null);
    show('signIn');
  });

  function show(next: View) {
    setErrors({});
    setAsksCaptcha(next === 'register');
    setView(next);
  }

  const field = (name: string, label: string, type = 'text', autoComplete = 'off') => (
    <p><label>{label} <input name={name} type={type} autoComplete={autoComplete} /></label> <small>{errors[name]}</small></p>
  );

  const picture = captcha && <>
    <p><img src={captcha.image} alt="" onClick={newCaptcha} /></p>
    {field('captcha', t.captcha)}
  </>;

  const form = (id: string, onSubmit: (event: FormEvent<HTMLFormElement>) => void, button: string, children?: ReactNode) => (
    <form id={id} noValidate onSubmit={onSubmit}>{children}<button disabled={busy}>{button}</button></form>
  );

  const passwords = <>
    {field('password', t.password, 'password', 'new-password')}
    {field('password_repeat', t.repeat, 'password', 'new-password')}
  </>;

  return <>
    <select id="language" value={language} onChange={({ target }) => {
      usher.language = target.value;
      setLanguage(target.value as Language);
      setErrors({});
    }}><option value="zh-CN">中文</option><option value="en">English</option></select>
    <p role="alert">{errors.form}</p>
    <p role="status">{notice}</p>

    {view === 'register' && <>
      {form('register', register, t.signUp, <>
        {field('username', t.username, 'text', 'username')}
        {field('email', t.email, 'text', 'email')}
        {passwords}
        {picture}
        <p><label><input name="agree" type="checkbox" /> {t.agree}</label> <small>{errors.agree}</small></p>
      </>)}
      <button type="button" onClick={() => show('signIn')}>{t.have}</button>
    </>}

    {view === 'mailed' && account && <>
      <p id="mailed">{t.mailed(account.email)}</p>
      {form('resend', resend, t.resend)}
      {form('correct', correct, t.correct, <>{field('email', t.email, 'text', 'email')}{picture}</>)}
    </>}

    {view === 'activate' && form('activate', activate, t.activate, asksPassword && passwords)}

    {view === 'signIn' && <>
      {form('sign-in', signIn, t.signIn, <>
        {field('login', t.login, 'text', 'username')}
        {field('password', t.password, 'password', 'current-password')}
        {asksCaptcha && picture}
      </>)}
      <button type="button" onClick={() => { show('register'); newCaptcha().catch(() => {}); }}>{t.none}</button>
    </>}

    {view === 'account' && account && form('account', signOut, t.out, <p>{account.username} · {account.email}</p>)}
  </>;
}

createRoot(document.getElementById('app')!).render(<StrictMode><App /></StrictMode>);

import { BearerSession, memoryStorage, type TokenStorage } from './bearer.js';
import { Refusal } from './refusal.js';
import { type Answered, type Method, type Question, randomKey, type RequestOptions, Requests, sleep } from './requests.js';
import type * as api from './types.js';

export interface UsherOptions {
  /** Where Usher is, such as `https://signup.example.com`. Empty for pages that Usher's own host serves. */
  baseURL?: string;
  /** Replaces the global `fetch`. */
  fetch?: typeof fetch;
  /** `cookie`, the default, for pages on the same site as Usher; `bearer` for apps. */
  transport?: 'cookie' | 'bearer';
  /** Keeps the token of a bearer session. Without it the session ends with the program. */
  storage?: TokenStorage;
  /** Of sentences for people, such as `en` or `zh-CN`. The default is that of the page, else of the browser. */
  language?: string;
  /** Milliseconds for one attempt, the answer included; 15,000 by default. */
  timeout?: number;
  /** How often a request that may be repeated is repeated at most; 2 by default. */
  retries?: number;
  /** Makes an `Idempotency-Key` where there is no `crypto.getRandomValues`. It must not be possible to guess one. */
  newKey?: () => string;
}

/** Makes a client. Each method of it is an operation of the contract, by its `operationId`. */
export function createUsher(options: UsherOptions = {}): Usher {
  return new Usher(options);
}

/**
 * A client of Usher for pages and apps. Its methods return `data` of the answer and throw a {@link Refusal}. A signal ends
 * a request early. Requests that are safe to repeat are repeated when their answer is lost: those that read, and those that
 * send a code or register, which carry a key.
 */
export class Usher {
  /** Of sentences for people; may be changed at any time. */
  language: string;
  readonly #requests: Requests;
  readonly #bearer: BearerSession | undefined;

  constructor(options: UsherOptions = {}) {
    const { baseURL = '', timeout = 15_000, retries = 2, newKey = randomKey, transport = 'cookie' } = options;
    this.language = options.language || globalThis.document?.documentElement.lang || globalThis.navigator?.language || 'zh-CN';
    this.#requests = new Requests({
      baseURL: baseURL.replace(/\/+$/, ''), timeout, retries, newKey,
      fetch: options.fetch ?? ((input, init) => fetch(input, init)),
      credentials: transport === 'bearer' ? 'omit' : 'include',
      language: () => this.language,
    });
    if (transport === 'bearer') this.#bearer = new BearerSession(this.#requests, options.storage ?? memoryStorage());
  }

  // ---- Captchas ----

  /** Gets a captcha: a picture, a recording, a proof of work, or a vendor's. */
  createCaptcha(body: api.CaptchaRequest = {}, options?: RequestOptions): Promise<api.Captcha> {
    return this.#call('POST', '/v1/captchas', body, options);
  }

  /** Checks an answer without spending the captcha; the third wrong answer spends it. */
  checkCaptcha(id: string, body: api.CaptchaAnswer, options?: RequestOptions): Promise<api.CaptchaCheck> {
    return this.#call('POST', `/v1/captchas/${escape(id)}/check`, body, options);
  }

  // ---- Codes ----

  /** Sends a code by SMS. It spends the captcha, whatever the result. */
  sendCode(body: api.CodeRequest, options?: RequestOptions): Promise<api.Code> {
    return this.#once('/v1/sms-codes', body, options);
  }

  /** Tells what is known of a code's message, and how the code can be sent again. */
  codeStatus(id: string, options?: RequestOptions): Promise<api.CodeStatus> {
    return this.#call('GET', `/v1/sms-codes/${escape(id)}`, undefined, options);
  }

  /** Sends the same code once more, through another provider. */
  resendCode(id: string, body: api.ResendRequest = { via: 'sms' }, options?: RequestOptions): Promise<api.ResendCodeResponse['data']> {
    return this.#once(`/v1/sms-codes/${escape(id)}/resend`, body, options);
  }

  /** Checks a code without using it up. A wrong one costs a guess. */
  checkCode(body: api.CodeCheckRequest, options?: RequestOptions): Promise<api.CodeCheck> {
    return this.#call('POST', '/v1/sms-codes/check', body, options);
  }

  /** Sends a mail with a code and a button. It spends the captcha, whatever the result. */
  sendEmailCode(body: api.EmailCodeRequest, options?: RequestOptions): Promise<api.EmailCode> {
    return this.#once('/v1/email-codes', body, options);
  }

  /** Tells what is known of a mail with a code. */
  emailCodeStatus(id: string, options?: RequestOptions): Promise<api.EmailCodeStatusResponse['data']> {
    return this.#call('GET', `/v1/email-codes/${escape(id)}`, undefined, options);
  }

  /** Checks a code by mail, or the token of its button, without using it up. */
  checkEmailCode(body: api.EmailCodeCheckRequest, options?: RequestOptions): Promise<api.CodeCheck> {
    return this.#call('POST', '/v1/email-codes/check', body, options);
  }

  /**
   * Yields the status of a code by SMS whenever it has changed, until nothing more is to come or a minute and a half is over.
   * A request that fails is left out.
   */
  async *watchCode(id: string, options: RequestOptions = {}): AsyncGenerator<api.CodeStatus, void, undefined> {
    let last = '';
    for (const seconds of watchPauses) {
      await sleep(seconds, options.signal);
      const now = await this.codeStatus(id, options).catch((error: unknown) => {
        if (!(error instanceof Refusal) || error.status === 404) throw error;
      });
      if (!now) continue;
      const seen = JSON.stringify([now.status, now.second_way.map(({ via }) => via)]);
      if (seen !== last) yield now;
      last = seen;
      if (!['queued', 'delayed', 'sent'].includes(now.status)) return;
    }
  }

  // ---- Registration and activation ----

  /** Counts the accounts with a user name: 0 or 1. Only a hint; the registration decides. */
  countUsername(username: string, options?: RequestOptions): Promise<api.UsernameCount> {
    return this.#call('GET', `/v1/usernames/${escape(username)}`, undefined, options);
  }

  /** Counts the accounts with a number: 0 or 1, or 0 always where that is not told. */
  countMobile(mobile: string, options?: RequestOptions): Promise<api.MobileCount> {
    return this.#call('GET', `/v1/mobiles/${escape(mobile)}`, undefined, options);
  }

  /**
   * Registers. The account is signed in if it is active; otherwise a mail with a link is on its way. An answer that is given
   * again brings no cookie, so the client signs in with the password then, if there is one.
   */
  async register(body: api.Registration, options?: RequestOptions): Promise<api.Opened> {
    const { data, replayed } = await this.#open<api.Opened>('/v1/registrations', body, { ...options, once: true });
    const login = body.username || body.mobile || body.email;
    const { password } = body;
    if (replayed && data.active && !this.#bearer && login && password) await this.signIn({ login, password }, options);
    return data;
  }

  /** Proves an address by the token of an activation link. */
  async activate(body: api.Activation, options?: RequestOptions): Promise<api.Opened> {
    const question = { method: 'POST', path: '/v1/activations', body: this.#withTransport(body), ...options } as const;
    return (await this.#send<api.Opened>(question)).data;
  }

  /** Sends another activation mail: to the session's own account without an address. The answer is the same for every address. */
  async resendActivation(body: api.Resend = {}, options?: RequestOptions): Promise<void> {
    await this.#call('POST', '/v1/activations/resend', body, options);
  }

  /** Corrects a mistyped address before the activation, in the session that has registered. */
  correctAddress(body: api.Correction, options?: RequestOptions): Promise<api.Account> {
    return this.#call('POST', '/v1/activations/correct', body, options);
  }

  /** Declines a registration with an address whose owner did not ask for it. */
  async declineActivation(body: api.Decline, options?: RequestOptions): Promise<void> {
    await this.#call('POST', '/v1/activations/decline', body, options);
  }

  // ---- Sessions ----

  /** Signs in with a password, a code by SMS, or a code by mail. */
  async signIn(body: api.SignIn, options?: RequestOptions): Promise<api.SignedIn> {
    return (await this.#open<api.SignedIn>('/v1/sessions', body, options)).data;
  }

  /** Returns the account that is signed in, or null. */
  async currentSession(options?: RequestOptions): Promise<api.Account | null> {
    try {
      return await this.#call('GET', '/v1/sessions/current', undefined, options);
    } catch (error) {
      if (error instanceof Refusal && error.errno === '4101') return null;
      throw error;
    }
  }

  /** Ends this session. */
  async signOut(options?: RequestOptions): Promise<void> {
    await this.#call('DELETE', '/v1/sessions/current', undefined, options);
    await this.#bearer?.forget();
  }

  /** Lists the sessions of the account. */
  listSessions(options?: RequestOptions): Promise<api.Sessions> {
    return this.#call('GET', '/v1/sessions', undefined, options);
  }

  /** Ends another session by its id in the list. */
  async endSession(id: string, options?: RequestOptions): Promise<void> {
    await this.#call('DELETE', `/v1/sessions/${escape(id)}`, undefined, options);
  }

  /** Ends all sessions but this one. */
  endOtherSessions(options?: RequestOptions): Promise<api.Ended> {
    return this.#call('DELETE', '/v1/sessions', undefined, options);
  }

  /** Gets a signed token for a service of yours, which verifies it by itself. */
  createToken(body: api.TokenRequest, options?: RequestOptions): Promise<api.Token> {
    return this.#call('POST', '/v1/sessions/current/token', body, options);
  }

  /** Replaces the token of a bearer session now. The client does it by itself when half of the token's life is over. */
  async rotateSession(): Promise<void> {
    await this.#bearer?.rotate();
  }

  // ---- The own account ----

  /** Sets a new password with a code, and so activates an account that waits for the address. Ends all sessions. */
  resetPassword(body: api.PasswordReset, options?: RequestOptions): Promise<api.ResetPasswordResponse['data']> {
    return this.#call('POST', '/v1/password-resets', body, options);
  }

  /** Changes the password. Ends all other sessions. */
  changePassword(body: api.PasswordChange, options?: RequestOptions): Promise<api.ChangePasswordResponse['data']> {
    return this.#call('PUT', '/v1/account/password', body, options);
  }

  /** Chooses the user name of an account that has none. */
  setUsername(body: api.UsernameChoice, options?: RequestOptions): Promise<api.SetUsernameResponse['data']> {
    return this.#call('PUT', '/v1/account/username', body, options);
  }

  /** Changes the address; with a code, or by the link of a mail. */
  changeEmail(body: api.EmailChange, options?: RequestOptions): Promise<api.ChangeEmailResponse['data']> {
    return this.#call('PUT', '/v1/account/email', body, options);
  }

  /** Changes the number. */
  changeMobile(body: api.MobileChange, options?: RequestOptions): Promise<api.ChangeMobileResponse['data']> {
    return this.#call('PUT', '/v1/account/mobile', body, options);
  }

  /** Exports what is known of the person. */
  exportAccount(body: api.OwnerProof, options?: RequestOptions): Promise<api.Export> {
    return this.#call('POST', '/v1/account/export', body, options);
  }

  /** Deletes the account, after days in which a sign-in takes that back. All sessions end. */
  deleteAccount(body: api.OwnerProof, options?: RequestOptions): Promise<api.Deletion> {
    return this.#call('POST', '/v1/account/deletion', body, options);
  }

  /** Lists what the person has agreed to, and what is due. */
  listConsents(options?: RequestOptions): Promise<api.Consents> {
    return this.#call('GET', '/v1/account/consents', undefined, options);
  }

  /** Agrees to the versions of documents that the person has read. */
  agree(body: api.Versions, options?: RequestOptions): Promise<api.Consents> {
    return this.#call('POST', '/v1/account/consents', body, options);
  }

  /** Withdraws the consent to a document. */
  withdrawConsent(document: 'terms' | 'privacy', options?: RequestOptions): Promise<api.Consents> {
    return this.#call('DELETE', `/v1/account/consents/${escape(document)}`, undefined, options);
  }

  /** Takes a change of the account back, by the link in the mail about it or by a code to the former number. */
  undoChange(body: api.Undo, options?: RequestOptions): Promise<api.Undone> {
    return this.#call('POST', '/v1/account-changes/undo', body, options);
  }

  // ---- Everything else ----

  /** Sends a request to an endpoint by its path and returns `data`. `once` adds a key, where the endpoint takes one. */
  async request<T = unknown>(method: Method, path: string, options: RequestOptions & { body?: object | undefined; once?: boolean | undefined } = {}): Promise<T> {
    return (await this.#send<T>({ method, path, ...options })).data;
  }

  async #call<T>(method: Method, path: string, body?: object, options?: RequestOptions): Promise<T> {
    return (await this.#send<T>({ method, path, body, ...options })).data;
  }

  async #once<T>(path: string, body: object, options?: RequestOptions): Promise<T> {
    return (await this.#send<T>({ method: 'POST', path, body, once: true, ...options })).data;
  }

  #send<T>(question: Question): Promise<Answered<T>> {
    return (this.#bearer ?? this.#requests).send<T>(question);
  }

  // #open starts a session.
  #open<T extends api.BearerFields>(path: string, body: object, options?: RequestOptions & { once?: boolean | undefined }): Promise<Answered<T>> {
    const question: Question = { method: 'POST', path, body: this.#withTransport(body), ...options };
    return this.#bearer ? this.#bearer.open<T>(question) : this.#requests.send<T>(question);
  }

  #withTransport(body: object): object {
    return this.#bearer ? { ...body, transport: 'bearer' } : body;
  }
}

const escape = encodeURIComponent;

// Seconds between requests for the status of a code.
const watchPauses = [1, 2, 3, 5, 8, 6, 15, 22, 30];

import { randomKey, type RequestOptions, Requests } from './requests.js';
import type * as api from './types.js';

export { Refusal } from './refusal.js';
export type * from './types.js';

export interface VerificationsOptions {
  /** Where Usher is, such as `https://signup.example.com`. */
  baseURL: string;
  /** A key of `admin apps`, `usk_…`. It is a secret of your server: never put it into a page or an app. */
  key: string;
  /** Replaces the global `fetch`. */
  fetch?: typeof fetch;
  /** Of the messages and of sentences for people; `zh-CN` by default. */
  language?: string;
  /** Milliseconds for one attempt; 15,000 by default. */
  timeout?: number;
  /** How often a request that may be repeated is repeated at most; 2 by default. */
  retries?: number;
}

/** Makes a client for a server that has users of its own and proves their numbers and addresses; see docs/verification.md. */
export function createVerifications(options: VerificationsOptions): Verifications {
  return new Verifications(options);
}

/** Proves numbers and addresses. For servers only: Usher refuses a key that a browser sends. */
export class Verifications {
  readonly #requests: Requests;
  readonly #headers: Record<string, string>;

  constructor({ baseURL, key, language = 'zh-CN', timeout = 15_000, retries = 2, ...options }: VerificationsOptions) {
    if ('document' in globalThis) throw new Error('a page must not have a key of an app: call Usher from your server');
    this.#headers = { Authorization: `Bearer ${key}` };
    this.#requests = new Requests({
      baseURL: baseURL.replace(/\/+$/, ''), timeout, retries, newKey: randomKey, credentials: 'omit',
      fetch: options.fetch ?? ((input, init) => fetch(input, init)), language: () => language,
    });
  }

  /** Sends a code. After a lost answer the request is repeated, and one message is sent. */
  startVerification(body: api.VerificationRequest, options?: RequestOptions): Promise<api.Verification> {
    return this.#call('POST', '', body, { once: true, ...options });
  }

  /** Tells how a verification stands. */
  verificationStatus(id: string, options?: RequestOptions): Promise<api.VerificationStatus> {
    return this.#call('GET', `/${encodeURIComponent(id)}`, undefined, options);
  }

  /** Ends a verification. */
  cancelVerification(id: string, options?: RequestOptions): Promise<api.CancelVerificationResponse['data']> {
    return this.#call('DELETE', `/${encodeURIComponent(id)}`, undefined, options);
  }

  /** Checks the code that a person has typed. */
  checkVerification(id: string, body: api.VerificationCheckRequest, options?: RequestOptions): Promise<api.VerificationCheck> {
    return this.#call('POST', `/${encodeURIComponent(id)}/check`, body, { once: true, ...options });
  }

  /** Redeems a proof, which works once. */
  redeemVerification(id: string, body: api.RedeemRequest, options?: RequestOptions): Promise<api.Redeemed> {
    return this.#call('POST', `/${encodeURIComponent(id)}/redeem`, body, { once: true, ...options });
  }

  async #call<T>(
    method: 'GET' | 'POST' | 'DELETE', path: string, body?: object, options?: RequestOptions & { once?: boolean | undefined },
  ): Promise<T> {
    const question = { method, path: `/v1/verifications${path}`, headers: this.#headers, body, ...options };
    return (await this.#requests.send<T>(question)).data;
  }
}

import { noAnswer, Refusal } from './refusal.js';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export interface RequestOptions {
  /** Ends the request; the method then throws the signal's reason. */
  signal?: AbortSignal | undefined;
}

export interface Question extends RequestOptions {
  method: Method;
  path: string;
  body?: object | undefined;
  /** Sends an `Idempotency-Key`, so that the request may be repeated after a lost answer and is still done once. */
  once?: boolean | undefined;
  headers?: Record<string, string> | undefined;
}

export interface Answered<T> {
  data: T;
  /** The answer to an earlier request with the same key: it brings no cookie with it. */
  replayed: boolean;
}

export interface RequestsConfig {
  baseURL: string;
  fetch: typeof fetch;
  credentials: RequestCredentials;
  language: () => string;
  timeout: number;
  retries: number;
  newKey: () => string;
}

/** A key that cannot be guessed. `crypto.randomUUID` exists on https pages only; this works on plain http too. */
export const randomKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');

// How many requests without an answer keep their keys for the person's next try.
const keptKeys = 8;

// The longest time in seconds that a repetition waits by itself. A longer Retry-After is for the person to see.
const longestPause = 5;

/** Sends requests, and repeats those that may be repeated. */
export class Requests {
  readonly #config: RequestsConfig;
  // Of requests that have no answer so far, by path and body.
  readonly #keys = new Map<string, string>();

  constructor(config: RequestsConfig) {
    this.#config = config;
  }

  /**
   * Sends a request. After a lost answer it repeats a GET, and a request with a key. When the network stays away, the key
   * waits for the next request with the same body: the person has pressed the button again.
   */
  async send<T>(question: Question): Promise<Answered<T>> {
    const text = question.once ? question.path + JSON.stringify(question.body) : '';
    const key = text ? this.#keyOf(text) : undefined;
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await this.#attempt<T>(question, key);
        this.#keys.delete(text);
        return answer;
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        if (!outcomeUnknown(error)) this.#keys.delete(text);
        const repeatable = key ? hasNoAnswer(error) || isRunning(error) : question.method === 'GET' && isAway(error);
        const pause = error.retryAfter || attempt;
        if (!repeatable || attempt > this.#config.retries || pause > longestPause) throw error;
        await sleep(pause, question.signal);
      }
    }
  }

  #keyOf(text: string): string {
    const key = this.#keys.get(text) ?? this.#config.newKey();
    this.#keys.set(text, key);
    const [oldest] = this.#keys.keys();
    if (oldest !== undefined && this.#keys.size > keptKeys) this.#keys.delete(oldest);
    return key;
  }

  async #attempt<T>({ method, path, body, headers, signal }: Question, key?: string): Promise<Answered<T>> {
    signal?.throwIfAborted();
    const { baseURL, credentials, timeout } = this.#config;
    const language = this.#config.language();
    const limit = startLimit(timeout, signal);
    let response: Response | undefined;
    let answer;
    try {
      response = await this.#config.fetch(baseURL + path, {
        method, credentials, cache: 'no-store', signal: limit.signal,
        headers: {
          Accept: 'application/json', 'Accept-Language': language, ...headers,
          ...(body && { 'Content-Type': 'application/json' }), ...(key && { 'Idempotency-Key': key }),
        },
        ...(body && { body: JSON.stringify(body) }),
      });
      answer = await response.json();
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (limit.isOver()) throw noAnswer('timeout', language, error);
      throw error instanceof SyntaxError ? noAnswer('malformed', language, error, response) : noAnswer('network', language, error);
    } finally {
      limit.end();
    }
    if (typeof answer?.errno !== 'string') throw noAnswer('malformed', language, undefined, response);
    if (answer.errno !== '0') throw new Refusal(answer, response);
    return { data: answer.data as T, replayed: response.headers.has('Idempotency-Replayed') };
  }
}

const hasNoAnswer = ({ errno }: Refusal) => errno === 'network' || errno === 'timeout' || errno === 'malformed';

// The same request is still running.
const isRunning = ({ errno, status }: Refusal) => status === 409 && errno === '4206';

const isAway = (refusal: Refusal) => hasNoAnswer(refusal) || refusal.status >= 502;

// The request may have been done: its key must not be lost.
const outcomeUnknown = (refusal: Refusal) => hasNoAnswer(refusal) || isRunning(refusal) || refusal.status >= 500;

// startLimit joins the caller's signal with a time-out, as AbortSignal.any does in newer browsers. Ending it stops the timer and
// listens no longer to the caller's signal, which may live as long as the page.
function startLimit(milliseconds: number, caller?: AbortSignal) {
  const controller = new AbortController();
  let over = false;
  const abort = () => controller.abort(caller?.reason);
  const timer = setTimeout(() => {
    over = true;
    controller.abort();
  }, milliseconds);
  if (caller?.aborted) abort();
  caller?.addEventListener('abort', abort);
  return {
    signal: controller.signal,
    isOver: () => over,
    end: () => {
      clearTimeout(timer);
      caller?.removeEventListener('abort', abort);
    },
  };
}

/** Waits for some seconds, or until the signal aborts: it then throws the signal's reason. */
export function sleep(seconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, seconds * 1000);
    signal?.addEventListener('abort', abort, { once: true });
  });
}

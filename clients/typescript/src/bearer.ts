import { Refusal } from './refusal.js';
import type { Answered, Question, Requests } from './requests.js';
import type { BearerFields, Rotated } from './types.js';

/**
 * Where the token of a bearer session is kept between starts of the program: the Keychain, the Keystore, or what else keeps
 * secrets. The methods may return promises. In a page use cookies instead: every script of the page could read the token.
 */
export interface TokenStorage {
  getItem(key: string): string | null | Promise<string | null>;
  setItem(key: string, value: string): unknown;
  removeItem(key: string): unknown;
}

interface Kept {
  token: string;
  /** Milliseconds since 1970. Null for a registration that waits for the link of a mail: its token is not rotated. */
  renewAt: number | null;
}

const itemName = 'usher.session';

/** Returns a storage that forgets with the program. */
export function memoryStorage(): TokenStorage {
  const items = new Map<string, string>();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, value),
    removeItem: (key) => items.delete(key),
  };
}

/** Sends requests with the token of a bearer session, keeps new tokens, and replaces old ones. */
export class BearerSession {
  readonly #requests: Requests;
  readonly #storage: TokenStorage;
  // While one is running.
  #rotation: Promise<Kept | null> | undefined;

  constructor(requests: Requests, storage: TokenStorage) {
    this.#requests = requests;
    this.#storage = storage;
  }

  /** Sends a request that starts a session: without a token, since a token that is no longer valid would be refused. */
  async open<T extends BearerFields>(question: Question): Promise<Answered<T>> {
    const answer = await this.#requests.send<T>(question);
    await this.#keep(answer.data);
    return answer;
  }

  /**
   * Sends a request in the session, if there is one. When the token is refused, it is rotated once: the answer to an earlier
   * rotation may have been lost. Only if that is refused too, the session is over.
   */
  async send<T>(question: Question): Promise<Answered<T>> {
    let kept = await this.#read();
    if (kept && isDue(kept)) kept = await this.#renew(kept);
    try {
      return await this.#sendWith<T>(question, kept);
    } catch (error) {
      if (!kept || kept.renewAt === null || !isSignedOut(error)) throw error;
      const renewed = await this.#renew(kept);
      if (!renewed || renewed.token === kept.token) throw error;
      return this.#sendWith<T>(question, renewed);
    }
  }

  /** Replaces the token now, if there is one. */
  async rotate(): Promise<void> {
    const kept = await this.#read();
    if (kept) await this.#renew(kept, true);
  }

  /** Forgets the token. */
  async forget(): Promise<void> {
    await this.#storage.removeItem(itemName);
  }

  async #sendWith<T>(question: Question, kept: Kept | null): Promise<Answered<T>> {
    const headers = kept ? { ...question.headers, Authorization: `Bearer ${kept.token}` } : question.headers;
    const answer = await this.#requests.send<T>({ ...question, headers });
    await this.#keep(answer.data as BearerFields);
    return answer;
  }

  // #renew replaces a token, one request at a time. It returns the token to go on with, or null when the session is over.
  async #renew(old: Kept, strict = false): Promise<Kept | null> {
    const rotation = (this.#rotation ??= exclusively(() => this.#rotateFrom(old, strict)).finally(() => {
      this.#rotation = undefined;
    }));
    return rotation;
  }

  async #rotateFrom(old: Kept, strict: boolean): Promise<Kept | null> {
    const kept = await this.#read();
    if (kept?.token !== old.token) return kept; // Another tab was faster.
    const headers = { Authorization: `Bearer ${old.token}` };
    try {
      const answer = await this.#requests.send<Rotated>({ method: 'POST', path: '/v1/sessions/current/rotate', headers });
      return await this.#keep(answer.data);
    } catch (error) {
      if (isSignedOut(error)) {
        await this.forget();
        return null;
      }
      if (strict) throw error;
      return old; // It stays valid; the next request tries again.
    }
  }

  async #read(): Promise<Kept | null> {
    try {
      const kept = JSON.parse((await this.#storage.getItem(itemName)) ?? 'null');
      return typeof kept?.token === 'string' ? kept : null;
    } catch {
      return null; // Another program's value.
    }
  }

  // #keep stores the token of an answer that has one. Half of its life later it is replaced.
  async #keep(data: (BearerFields & { active?: boolean }) | undefined): Promise<Kept | null> {
    if (!data?.token?.startsWith('usr_')) return null; // Signed tokens for other services have that field too.
    const kept = { token: data.token, renewAt: data.active === false ? null : Date.now() + (data.expires_in ?? 0) * 500 };
    await this.#storage.setItem(itemName, JSON.stringify(kept));
    return kept;
  }
}

const isDue = ({ renewAt }: Kept) => renewAt !== null && renewAt <= Date.now();

const isSignedOut = (error: unknown) => error instanceof Refusal && error.errno === '4101';

// exclusively runs an action while no other tab runs its own. Without locks two tabs may rotate at the same time: Usher gives
// both the same new token then.
function exclusively<T>(action: () => Promise<T>): Promise<T> {
  const locks = globalThis.navigator?.locks;
  return locks ? locks.request('usher.rotate', action) as Promise<T> : action();
}

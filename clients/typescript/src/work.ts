import type { Captcha, WorkChallenge } from './types.js';

const hex = (bytes: Uint8Array) => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
const unhex = (text: string) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** Reports whether this program can do proofs of work: browsers derive keys on https pages and on localhost only. */
export const canWork = (): boolean => Boolean(globalThis.crypto?.subtle);

export interface WorkOptions {
  /** Is told the share of the work that is done, from 0 to 1; most proofs are found before 1. */
  onProgress?: (share: number) => void;
  signal?: AbortSignal | undefined;
}

/**
 * Does the work of a challenge (ALTCHA 2) and returns the proof, which goes into the field `captcha`: alone, or after the
 * text of the picture and a space. Keys are derived outside of the page's thread, several at a time.
 */
export async function prove({ parameters, signature }: WorkChallenge, { onProgress, signal }: WorkOptions = {}): Promise<string> {
  const { cost, data, keyLength, keyPrefix, nonce, salt } = parameters;
  const options = { name: 'PBKDF2', hash: 'SHA-256', iterations: cost, salt: unhex(salt) };
  const prefix = unhex(nonce);
  let next = 0;
  let solution: { counter: number; derivedKey: string } | undefined;
  const search = async () => {
    const password = new Uint8Array(prefix.length + 4);
    password.set(prefix);
    while (!solution && next <= data.most) {
      signal?.throwIfAborted();
      const counter = next++;
      new DataView(password.buffer).setUint32(prefix.length, counter);
      const base = await crypto.subtle.importKey('raw', password, 'PBKDF2', false, ['deriveBits']);
      const derivedKey = hex(new Uint8Array(await crypto.subtle.deriveBits(options, base, keyLength * 8)));
      if (derivedKey.startsWith(keyPrefix)) solution = { counter, derivedKey };
      if (counter % 32 === 0) onProgress?.(counter / data.most);
    }
  };
  const searches = Math.min(globalThis.navigator?.hardwareConcurrency || 2, 8);
  await Promise.all(Array.from({ length: searches }, search));
  if (!solution) throw new Error('the challenge has no solution');
  return btoa(JSON.stringify({ challenge: { parameters, signature }, solution }));
}

/**
 * Returns the two fields that answer a captcha of ours, after the work if the captcha asks for it. `text` is what the person
 * read or heard.
 */
export async function solve(captcha: Captcha, text = '', options?: WorkOptions): Promise<{ captcha_id: string; captcha: string }> {
  const proof = captcha.challenge ? await prove(captcha.challenge, options) : '';
  return { captcha_id: captcha.captcha_id, captcha: [text, proof].filter(Boolean).join(' ') };
}

// What Usher's own pages use of the client. They have their operations in a table of forms, and no bearer sessions.
import { randomKey, Requests } from './requests.js';

export { canWork, prove } from './work.js';

/** Makes the requests of a page to its own host. */
export function createRequests(language: string): Requests {
  return new Requests({
    baseURL: '', fetch: (input, init) => fetch(input, init), credentials: 'same-origin', language: () => language,
    timeout: 15_000, retries: 1, newKey: randomKey,
  });
}

// Made from clients/typescript/src by npm run pages. Change the sources.

// src/refusal.ts
var Refusal = class extends Error {
  /** Decide by this. New numbers may come: treat one that you do not know by its status. */
  errno;
  /** The HTTP status, 0 without an answer. */
  status;
  /** A sentence for each refused field, in the language of the request. */
  fields;
  /** What the program needs to go on, such as `captcha_price`. */
  data;
  /** For the operator, who finds the request by it. */
  requestId;
  /** Seconds to wait before the next try, 0 where none are named. */
  retryAfter;
  constructor(answer, response, cause) {
    super(answer.errmsg, { cause });
    this.name = "Refusal";
    this.errno = answer.errno;
    this.status = response?.status ?? 0;
    this.fields = answer.fields ?? {};
    this.data = answer.data ?? {};
    this.requestId = answer.request_id ?? response?.headers.get("X-Request-Id") ?? "";
    this.retryAfter = Number(response?.headers.get("Retry-After")) || 0;
  }
};
var sentences = {
  network: { zh: "网络连接失败，请检查网络后重试。", en: "No connection. Please check your network and try again." },
  timeout: { zh: "服务器没有及时响应，请稍后重试。", en: "The server took too long to answer. Please try again." },
  malformed: { zh: "服务暂时不可用，请稍后重试。", en: "The service is unavailable at the moment. Please try again later." }
};
function noAnswer(errno, language, cause, response) {
  return new Refusal({ errno, errmsg: sentences[errno][language.toLowerCase().startsWith("zh") ? "zh" : "en"] }, response, cause);
}

// src/requests.ts
var randomKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
var keptKeys = 8;
var longestPause = 5;
var Requests = class {
  #config;
  // Of requests that have no answer so far, by path and body.
  #keys = /* @__PURE__ */ new Map();
  constructor(config) {
    this.#config = config;
  }
  /**
   * Sends a request. After a lost answer it repeats a GET, and a request with a key. When the network stays away, the key
   * waits for the next request with the same body: the person has pressed the button again.
   */
  async send(question) {
    const text = question.once ? question.path + JSON.stringify(question.body) : "";
    const key = text ? this.#keyOf(text) : void 0;
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await this.#attempt(question, key);
        this.#keys.delete(text);
        return answer;
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        if (!outcomeUnknown(error)) this.#keys.delete(text);
        const repeatable = key ? hasNoAnswer(error) || isRunning(error) : question.method === "GET" && isAway(error);
        const pause = error.retryAfter || attempt;
        if (!repeatable || attempt > this.#config.retries || pause > longestPause) throw error;
        await sleep(pause, question.signal);
      }
    }
  }
  #keyOf(text) {
    const key = this.#keys.get(text) ?? this.#config.newKey();
    this.#keys.set(text, key);
    const [oldest] = this.#keys.keys();
    if (oldest !== void 0 && this.#keys.size > keptKeys) this.#keys.delete(oldest);
    return key;
  }
  async #attempt({ method, path, body, headers, signal }, key) {
    signal?.throwIfAborted();
    const { baseURL, credentials, timeout } = this.#config;
    const language = this.#config.language();
    const limit = startLimit(timeout, signal);
    let response;
    let answer;
    try {
      response = await this.#config.fetch(baseURL + path, {
        method,
        credentials,
        cache: "no-store",
        signal: limit.signal,
        headers: {
          Accept: "application/json",
          "Accept-Language": language,
          ...headers,
          ...body && { "Content-Type": "application/json" },
          ...key && { "Idempotency-Key": key }
        },
        ...body && { body: JSON.stringify(body) }
      });
      answer = await response.json();
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (limit.isOver()) throw noAnswer("timeout", language, error);
      throw error instanceof SyntaxError ? noAnswer("malformed", language, error, response) : noAnswer("network", language, error);
    } finally {
      limit.end();
    }
    if (typeof answer?.errno !== "string") throw noAnswer("malformed", language, void 0, response);
    if (answer.errno !== "0") throw new Refusal(answer, response);
    return { data: answer.data, replayed: response.headers.has("Idempotency-Replayed") };
  }
};
var hasNoAnswer = ({ errno }) => errno === "network" || errno === "timeout" || errno === "malformed";
var isRunning = ({ errno, status }) => status === 409 && errno === "4206";
var isAway = (refusal) => hasNoAnswer(refusal) || refusal.status >= 502;
var outcomeUnknown = (refusal) => hasNoAnswer(refusal) || isRunning(refusal) || refusal.status >= 500;
function startLimit(milliseconds, caller) {
  const controller = new AbortController();
  let over = false;
  const abort = () => controller.abort(caller?.reason);
  const timer = setTimeout(() => {
    over = true;
    controller.abort();
  }, milliseconds);
  if (caller?.aborted) abort();
  caller?.addEventListener("abort", abort);
  return {
    signal: controller.signal,
    isOver: () => over,
    end: () => {
      clearTimeout(timer);
      caller?.removeEventListener("abort", abort);
    }
  };
}
function sleep(seconds, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, seconds * 1e3);
    signal?.addEventListener("abort", abort, { once: true });
  });
}

// src/work.ts
var hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
var unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
var canWork = () => Boolean(globalThis.crypto?.subtle);
async function prove({ parameters, signature }, { onProgress, signal } = {}) {
  const { cost, data, keyLength, keyPrefix, nonce, salt } = parameters;
  const options = { name: "PBKDF2", hash: "SHA-256", iterations: cost, salt: unhex(salt) };
  const prefix = unhex(nonce);
  let next = 0;
  let solution;
  const search = async () => {
    const password = new Uint8Array(prefix.length + 4);
    password.set(prefix);
    while (!solution && next <= data.most) {
      signal?.throwIfAborted();
      const counter = next++;
      new DataView(password.buffer).setUint32(prefix.length, counter);
      const base = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
      const derivedKey = hex(new Uint8Array(await crypto.subtle.deriveBits(options, base, keyLength * 8)));
      if (derivedKey.startsWith(keyPrefix)) solution = { counter, derivedKey };
      if (counter % 32 === 0) onProgress?.(counter / data.most);
    }
  };
  const searches = Math.min(globalThis.navigator?.hardwareConcurrency || 2, 8);
  await Promise.all(Array.from({ length: searches }, search));
  if (!solution) throw new Error("the challenge has no solution");
  return btoa(JSON.stringify({ challenge: { parameters, signature }, solution }));
}

// src/pages.ts
function createRequests(language) {
  return new Requests({
    baseURL: "",
    fetch: (input, init) => fetch(input, init),
    credentials: "same-origin",
    language: () => language,
    timeout: 15e3,
    retries: 1,
    newKey: randomKey
  });
}
export {
  canWork,
  createRequests,
  prove
};

import type { Refusal as Answer } from './types.js';

/** A stable number of the contract, such as `'4203'`; see the table in docs/frontend.md. */
export type Errno = Answer['errno'];

/**
 * Why there is no answer from Usher: the network failed, the time is over, or something else answered, such as a proxy
 * that shows a page.
 */
export type NoAnswer = 'network' | 'timeout' | 'malformed';

interface RefusalAnswer extends Partial<Omit<Answer, 'errno'>> {
  errno: Errno | NoAnswer;
  errmsg: string;
}

/** What every method throws, but for the reason of a caller's `AbortSignal`. */
export class Refusal extends Error {
  /** Decide by this. New numbers may come: treat one that you do not know by its status. */
  readonly errno: Errno | NoAnswer;
  /** The HTTP status, 0 without an answer. */
  readonly status: number;
  /** A sentence for each refused field, in the language of the request. */
  readonly fields: Record<string, string>;
  /** What the program needs to go on, such as `captcha_price`. */
  readonly data: Answer['data'];
  /** For the operator, who finds the request by it. */
  readonly requestId: string;
  /** Seconds to wait before the next try, 0 where none are named. */
  readonly retryAfter: number;

  constructor(answer: RefusalAnswer, response?: Response, cause?: unknown) {
    super(answer.errmsg, { cause });
    this.name = 'Refusal';
    this.errno = answer.errno;
    this.status = response?.status ?? 0;
    this.fields = answer.fields ?? {};
    this.data = answer.data ?? {};
    this.requestId = answer.request_id ?? response?.headers.get('X-Request-Id') ?? '';
    this.retryAfter = Number(response?.headers.get('Retry-After')) || 0;
  }
}

const sentences: Record<NoAnswer, { zh: string; en: string }> = {
  network: { zh: '网络连接失败，请检查网络后重试。', en: 'No connection. Please check your network and try again.' },
  timeout: { zh: '服务器没有及时响应，请稍后重试。', en: 'The server took too long to answer. Please try again.' },
  malformed: { zh: '服务暂时不可用，请稍后重试。', en: 'The service is unavailable at the moment. Please try again later.' },
};

/** Returns the refusal for a request that Usher has not answered. */
export function noAnswer(errno: NoAnswer, language: string, cause?: unknown, response?: Response): Refusal {
  return new Refusal({ errno, errmsg: sentences[errno][language.toLowerCase().startsWith('zh') ? 'zh' : 'en'] }, response, cause);
}

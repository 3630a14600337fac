// What the types of the package allow and forbid; checked, not run.
import { type Captcha, createUsher, type Errno, Refusal } from 'usher-client';
import { createVerifications } from 'usher-client/server';

const usher = createUsher({ transport: 'bearer', storage: localStorage, timeout: 5000 });
const captcha: Captcha = await usher.createCaptcha({ kind: 'image' }, { signal: AbortSignal.timeout(1000) });
const { resend_after } = await usher.sendCode({ mobile: '13800138000', purpose: 'login', captcha_id: captcha.captcha_id });
resend_after satisfies number;
const username: string | undefined = (await usher.currentSession())?.username;
username satisfies string | undefined;
for await (const { second_way: ways } of usher.watchCode('id')) ways[0]?.via satisfies 'sms' | undefined;

// @ts-expect-error a purpose of no kind
await usher.sendCode({ mobile: '13800138000', purpose: 'pay' });
// @ts-expect-error a code needs its purpose
await usher.sendEmailCode({ email: 'li.lei@example.com' });
// @ts-expect-error a transport that does not exist
createUsher({ transport: 'session' });
// @ts-expect-error servers name the address of Usher
createVerifications({ key: 'usk_' });

try {
  await usher.signOut();
} catch (error) {
  if (error instanceof Refusal && error.errno === '4206') error.retryAfter satisfies number;
  // @ts-expect-error a number that the contract does not have
  if (error instanceof Refusal && error.errno === '9999') throw error;
}
'4101' satisfies Errno;

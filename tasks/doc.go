// Package tasks defines every task that is queued: its type, its payload and the handler that works it. A type has one file,
// in this order: name, payload, enqueuing, handler. How the queue itself works is in package queue.
//
// # A task's life
//
//	          1            2          3         4         5             6
//	enqueue ─────▶ pending ──▶ decode ──▶ claim ──▶ send ──▶ record ──▶ acknowledge ──▶ gone
//	                  ▲          │          │         │         │
//	                  │          │          │         │         │
//	                retry ◀──────┼──────────┴─────────┤         │
//	                archive ◀────┴────────────────────┴─────────┘
//
// How each step fails:
//
//	1 enqueue      Redis is unavailable: a code is voided and the request answered with 503; a mail stays in the outbox,
//	               where the Relay finds it. On one server a code and its task are stored in one script, or neither is.
//	               The answer got lost: the task has the message's id, so enqueuing it again changes nothing.
//	2 decode       Not what we queued, a seal of another task, an unknown key: archive. No retry can help.
//	3 claim        Expired, superseded, used, sent, no proved address: done, nothing is sent.
//	               Another worker has it: retry when its lease ends.
//	               The store is unavailable: retry.
//	4 send         Temporary, Misconfigured: recorded as queued, retry.
//	               RateLimited, Rejected: recorded as failed, archive.
//	               A bound of our own is reached, or a breaker is open: recorded as queued, retry after a short pause.
//	               Unknown, it may have been sent: unresolved. The claim is kept; one more attempt when it ends, with
//	               the same code or link. Unknown again: the claim is kept again; when it ends, the provider that may have
//	               the message is asked, where it can be. Not known: failed, archive. See messages.MaxSends.
//	               The process was frozen and the claim ran low: the provider is not called, retry.
//	               A sender or the code that calls it panics: as Unknown.
//	               The worker ends: a message that is not with its provider yet is recorded as queued; a call under way has the
//	               grace time to finish, then counts as Unknown.
//	5 record       The store is unavailable: tried until the claim runs out. After that the task of an accepted message is
//	               archived, since a retry would send it twice; every other outcome goes on as judged.
//	               The claim was taken over: the same, without trying again.
//	               The database is unavailable: SMS go on. Their outcomes wait in Redis until an OutcomeWriter has copied
//	               them.
//	6 acknowledge  Redis is unavailable: queue.AckHook lets Asynq try until its own lease of 30 s ends. Past that the
//	               task runs again, and its claim is refused, since the message is known as sent.
//	any            The handler panics elsewhere: archive.
//	               The worker is killed: Asynq runs the task again after one to two minutes. The queue.Reaper does
//	               not wait for that: it makes a new task as soon as the claim has run out. So does the
//	               Relay for mails, also when the whole queue is lost.
//
// So a message is sent by one worker at a time, and is sent again only when its outcome is unresolved. The message's
// lifetime, which the claim checks, ends the attempts, not Asynq's count of retries.
//
// # Payloads
//
// Fields are added to a payload and never removed, and a field's zero value means what its absence meant before:
// workers of the next release must read the payloads of an older API, and workers of an old release those of a newer API. The
// payloads of every release are in testdata and are decoded by a test. A payload reveals no number and no code without the
// keys, which are not in Redis.
package tasks

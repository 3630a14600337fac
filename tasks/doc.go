// Package tasks defines every task that travels through the queue: its payload, its options and the
// handler that works it. A type has one file, in this order: name, payload, enqueuing, handler.
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
//	1 enqueue      Redis is away: a code is taken back and the person told; a mail stays in the outbox,
//	               where the Relay finds it.
//	               The answer got lost: the task has the message's id, so writing it again changes nothing.
//	2 decode       Not what we queued, a seal of another task, an unknown key: archive. No retry can help.
//	3 claim        Expired, superseded, used, sent, no proved address: done, nothing goes out.
//	               Another worker has it: retry when its lease ends.
//	               The store is away: retry.
//	4 send         Temporary, Misconfigured: recorded as queued, retry.
//	               RateLimited, Rejected: recorded as failed, archive.
//	               A bound of our own is reached, or a breaker open: the same, with a short pause.
//	               Unknown, it may have been sent: the claim is kept; one more attempt when it ends, with
//	               the same code or link. Unknown again: the claim is kept again; when it ends, who may have
//	               it is asked, where anybody can be. Not known: failed, archive. A third send never happens.
//	               The process was frozen and the claim ran low: the provider is not called, retry.
//	               A sender or what leads to it panics: as Unknown.
//	               The worker ends: what is not with its provider yet is recorded as queued; what is has the
//	               grace time to finish, then counts as Unknown.
//	5 record       The store is away: tried until the claim runs out. After that an accepted message goes
//	               to the archive, for a retry would send it twice; every other outcome goes on as judged.
//	               The claim was taken over: the same, without trying again.
//	               The database of the history is away: an SMS does not notice. What is recorded waits in
//	               Redis until an OutcomeWriter has copied it.
//	6 acknowledge  Redis is away: AckHook lets Asynq try until its own lease of 30 s ends. Past that the
//	               task runs again, and its claim is refused, since the message is known as sent.
//	any            The handler panics elsewhere: archive.
//	               The worker is killed: Asynq runs the task again after one to two minutes. The Reaper does
//	               not wait for that: it makes a new task as soon as the claim has run out. So does the
//	               Relay for mails, also when the queue is gone as a whole.
//
// So a message is sent by one worker at a time, and goes out again only when nobody can know whether it
// did. What ends the attempts is its lifetime, which the claim checks, not Asynq's count of retries.
//
// # Payloads
//
// A payload's fields are only ever added, and a field's zero value means what its absence meant before:
// workers of the next release must read what an older API has queued, and the other way round. The
// payloads of every release lie in testdata and are decoded by a test. Nothing in a payload opens a number
// or a code without the keys, which are not in Redis.
package tasks

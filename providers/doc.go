// Package providers defines what a vendor must do to send one message, and decides which vendor gets an SMS.
//
// [SMSSender] and [EmailSender] are the contract: one request a call, never repeated, and every failure is an [Error], whose
// [Kind] decides what follows. Each vendor is a folder beside this file. Package catalog lists them, and package
// providertest checks that a vendor keeps the promises. Each further ability of a vendor is an interface: [Querier],
// [Puller], [Referencer], [CredentialChecker], [Prober], [TemplateChecker], [Templated], [Bounded].
//
// [Router] is an SMSSender made of others. It keeps nothing but its breakers and weights. What holds for all workers is
// behind [Slots] and [Scores].
//
// # A message's way through the router
//
//	               unresolved? ──yes──▶ ask who may have it ──▶ known: sent or refused, nothing is sent
//	                   │                    │
//	                   │ no                 └─▶ not known: send once more; unresolved again: ask, then give up
//	                   ▼
//	the region's order of preference, by weight for the carrier, providers that do not answer last
//	                   │
//	                   ▼
//	  ┌─▶ breaker ──▶ bounds ──▶ send ──▶ accepted: done
//	  │      │           │         │
//	  │    open        full        ├─▶ Temporary, Misconfigured: certainly not sent
//	  │      └───────────┴─────────┤
//	  └────── next provider ◀──────┘   RateLimited, Rejected, Unknown: no other provider may have it
//	                   │
//	                   ▼
//	        none left: a short wait where only a bound was reached, then Temporary
//
// What each kind does:
//
//	Temporary      next provider; counts as a failure for the breaker
//	Misconfigured  next provider; opens the breaker at once, logged as an error
//	RateLimited    ends the attempt: it is the number's limit, which another vendor would only evade
//	Rejected       ends the attempt: it is about this number or content
//	Unknown        ends the attempt: it may have been sent; counts as a failure. A panic is Unknown too
//
// A breaker belongs to one provider on one worker:
//
//	closed ──misconfigured, or five failures in a row──▶ open ──30 s──▶ half open, one message tries
//	   ▲                                                  ▲                 │            │
//	   │                                                  └─────fails───────┘            │
//	   └────────────────────────────────succeeds─────────────────────────────────────────┘
//
// A refusal of the number or the content counts as success. A provider that was not asked and a request that we cancelled do
// not count. When a provider takes requests without answering, the breaker learns it only when they time out. With five
// requests older than two seconds, the provider comes last in the order until then.
//
// How each step fails:
//
//	ask       No answer: as if no provider knew the message. For 15 seconds after the lost answer, "not known" proves
//	          nothing, and the message waits. A message that may have been sent twice is asked for once and not sent.
//	bounds    Redis is unavailable: the message is sent and counted as unbounded, and this worker alone keeps to the bound
//	          of concurrent requests. The worker dies: its slots are freed two seconds after its requests must have ended.
//	send      Every failure is an Error; another error counts as Unknown.
//	scores    Redis is unavailable: weights stay as they are, and accepted messages are added later.
package providers

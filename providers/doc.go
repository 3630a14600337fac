// Package providers defines what a vendor must do to send one message, and which vendor gets an SMS.
//
// [SMSSender] and [EmailSender] are the contract: one request a call, never repeated, and every failure an [Error],
// whose [Kind] is all that anybody decides by. Each vendor is a folder beside this file; package catalog lists them;
// package providertest checks that a vendor keeps the promises. What else a vendor may be able to do is an interface
// of its own: [Querier], [Puller], [Referencer], [Bounded].
//
// [Router] is an SMSSender made of others. It keeps nothing but its breakers and weights; what holds over all workers
// is behind [Slots] and [Scores].
//
// # A message's way through the router
//
//	               in doubt? ──yes──▶ ask who may have it ──▶ known: sent or refused, nothing goes out
//	                   │                    │
//	                   │ no                 └─▶ not known: resend, to that provider only; once, then give up
//	                                              (unless whoever sent it died, and it never left)
//	                   ▼
//	order of preference, by weight, those who hang last
//	                   │
//	                   ▼
//	  ┌─▶ breaker ──▶ bounds ──▶ send ──▶ accepted: done
//	  │      │           │         │
//	  │    open        full        ├─▶ Temporary, Misconfigured: surely not sent
//	  │      └───────────┴─────────┤
//	  └────── next provider ◀──────┘   RateLimited, Rejected, Unknown: nobody else may have it
//	                   │
//	                   ▼
//	        nobody left: a moment's wait where only a bound was in the way, then Temporary
//
// What each kind does:
//
//	Temporary      next provider; counts against the breaker
//	Misconfigured  next provider; opens the breaker at once, logged as an error
//	RateLimited    ends the round: the number's limit, which another vendor would only evade
//	Rejected       ends the round: this number or content
//	Unknown        ends the round: it may have been sent; counts against the breaker. A panic is Unknown too
//
// A breaker belongs to one provider on one worker:
//
//	closed ──misconfigured, or five failures in a row──▶ open ──30 s──▶ half open, one message tries
//	   ▲                                                  ▲                 │            │
//	   │                                                  └─────fails───────┘            │
//	   └────────────────────────────────succeeds─────────────────────────────────────────┘
//
// A refusal for the number or the content is work well done. What was never asked, and what we broke off ourselves,
// does not count. A provider that takes requests and answers none is found out by the breaker only when they time
// out; with five requests older than two seconds it comes last in the order meanwhile.
//
// How each step fails:
//
//	ask       No answer: as if nobody knew. For 15 seconds after the doubt arose, not known proves nothing, and
//	          the message waits. A message that may have been sent twice is asked for once and never sent.
//	bounds    Redis is away: the message goes, counted as unbounded, and this worker alone keeps to the bound of
//	          requests at the same time. The worker dies: its slots come free two seconds after its requests
//	          have ended for sure.
//	send      Everything is an Error; one that is none counts as Unknown.
//	scores    Redis is away: weights stay as they are, and what was accepted is told later.
package providers

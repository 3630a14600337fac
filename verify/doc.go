// Package verify issues verification codes and checks them, once, in time, within limits.
//
// [Service] does all of it. [Codes] is where issued codes are kept, one atomic round trip a question, and [Queue]
// is how they get to the workers. Nobody keeps a code itself: it derives from a key, the code's id, the number and
// the purpose, alike whenever it is sent, and what is kept to compare with is a MAC under another key.
//
// # A code's life
//
// Codes of one number and purpose live side by side, each with its own guesses: the id, which only its asker is told,
// says which code is meant. Whether a code's message arrived is told in package messages: the person who has the digits
// may enter them, whatever the vendor said.
//
//	             ┌──────────────── Restore: the request failed ────────────────┐
//	             ▼                                                             │
//	Issue ──▶ pending ──Check, Spend: one guess less each──▶ no guess left     │
//	  │          │ │                                                           │
//	  │          │ └──right Spend, once──▶ used ───────────────────────────────┘
//	  │          ├──Issue that replaces it──▶ superseded
//	  │          └──its time──▶ expired
//	  └──not queued──▶ taken back; the code that it replaced is pending again
//
// A code that is used, superseded or expired is [ErrExpired], and so is an id that no code of the number and purpose
// has. Only for a request that has the right digits a used code is [ErrUsed]: a form that was sent twice. A code without guesses is [ErrAttempts] until its end. A person who knows only the number changes none of this:
// neither guesses nor further codes need an id that this person has. What such a person can use up is the share of the
// number's allowance that [Stranger] and [Payer] have.
//
// How each step fails:
//
//	Issue    The pause since the last code or a limit of the number refuses: *[LimitError], nothing is spent.
//	         The queue did not take the code: it is taken back with what it spent, [ErrQueue].
//	         The store is away: its error. The answer may be lost and not the request, so the code is taken
//	         back as well, as far as the store can be reached; else it stays unsent until it expires, and the
//	         person waits out the pause.
//	Check    The guess is counted before anything is compared, so that guesses that come at the same time
//	         cannot outnumber it. Text that cannot be a code is [ErrWrong] and costs no guess.
//	Spend    The same, and of parallel calls with the right code one wins. That the code was entered is told
//	         to Entered once; its failure is logged and changes nothing.
//	Restore  Gives a spent code back after a later step failed, even if the caller's time is over. When it
//	         fails, the person asks for another code.
//	Status   Says what the waiting person may know. A code that is long over is [ErrNotFound].
//	any      A key was taken out of the settings: its codes are [ErrExpired].
package verify

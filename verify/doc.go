// Package verify issues verification codes and checks them: each code is valid for one use, until its end, within limits.
//
// [Service] does all of it. [Codes] stores issued codes, one atomic round trip for each method, and [Queue] passes them to the
// workers. A code itself is not stored: it is derived from a key, the code's id, the number and the purpose, so that each attempt
// sends the same digits. What is stored for comparison is a MAC under another key.
//
// # The life of a code
//
// Codes of one number and purpose exist side by side, each with its own guesses. The id says which code is meant, and only its
// requester learns it. Package messages has the outcome of a code's message: the digits may be entered whatever the vendor
// reports.
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
// A code that is used, superseded or expired is [ErrExpired], and so is an id that no code of the number and purpose has. Only for
// a request with the right digits a used code is [ErrUsed], as for a form that was sent twice. A code without guesses is
// [ErrAttempts] until its end. A person who knows only the number can change none of this, because guesses and replacements need
// the code's id. Such a person can only use up the share of the number's limits that [Stranger] and [Payer] have.
//
// How each step fails:
//
//	Issue    The pause since the last code or a limit of the number refuses: *[LimitError], nothing is spent.
//	         The code cannot be enqueued: it is taken back with the units it spent, [ErrQueue].
//	         The store is unavailable: its error. The code may be stored although the reply was lost, so it is taken
//	         back if the store can be reached; else it stays unsent until it expires, and the person can request
//	         another one after the pause.
//	Check    The guess is counted before it is compared, so that parallel guesses cannot exceed their number. Text
//	         that cannot be a code is [ErrWrong] and costs no guess.
//	Spend    The same, and of parallel calls with the right code one succeeds. Entered is called once; its error is
//	         logged and changes nothing.
//	Restore  Makes a used code usable again after a later step failed, also when the caller's time is over. When it
//	         fails, the person requests another code.
//	Status   Returns what the waiting person may know. A code that is long over is [ErrNotFound].
//	any      A key was removed from the settings: its codes are [ErrExpired].
package verify

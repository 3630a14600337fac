// Package reasons is the list of reasons why a message was not sent: one word for each, what it means, and what an operator does
// about it. Log lines, metrics, database rows, the operations page, admin messages show and admin doctor all use these words.
// docs/reasons.md is generated from the list.
//
// To add a reason, add a [Word] and its row in the list. A test compares the two, and searches the code for missing words.
package reasons

import "strings"

// Word names a reason, such as login_refused. Words are stored and counted, so a released word never changes.
type Word string

// Effect is what a reason says about the mail server as a whole.
type Effect int

// The effects.
const (
	None   Effect = iota // it concerns one message, or the server answers other mails: no outage
	Counts               // several in a row are an outage
	Opens                // one is an outage: the next mail would fail too, and repeated logins may lock the mailbox
)

// Reason is one row of the list.
type Reason struct {
	Word   Word
	Effect Effect // for mails
	Means  string // one sentence
	Do     string // what an operator does
}

// Of returns the reason of a word. The word may have the prefix "own_", which marks the code of a refusal of ours. It is false for
// the codes of vendors.
func Of(word string) (Reason, bool) {
	reason, ok := byWord[Word(strings.TrimPrefix(word, ownPrefix))]
	return reason, ok
}

// ownPrefix marks our own codes where vendors' codes are stored too.
const ownPrefix = "own_"

var byWord = func() map[Word]Reason {
	all := make(map[Word]Reason, len(list))
	for _, reason := range list {
		all[reason.Word] = reason
	}
	return all
}()

// All returns the list in its order.
func All() []Reason { return append([]Reason(nil), list...) }

// Cause is an error with a reason. Its text is safe to log.
type Cause struct {
	Word Word
	text string
}

// New makes a cause. The word must be in the list.
func New(word Word, text string) *Cause { return &Cause{word, text} }

// Error returns the text.
func (c *Cause) Error() string { return c.text }

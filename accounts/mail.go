package accounts

import "usher/messages"

// ClaimedMail is a mail of the outbox that its worker may send now, with what is needed to write it.
// The account is read at the claim, so the mail goes to the address that is stored then.
type ClaimedMail struct {
	messages.Claim
	Mail    Mail
	Account Account
}

// DueMail is a mail of the outbox whose task must be put on the queue (again).
type DueMail struct {
	Mail
	// Enqueues counts the tasks made for this mail; it is part of the task's id, so that a new task
	// can be made while a dead one still holds the old id.
	Enqueues int
}

package limits

// The subjects of limits that are about one mailbox.

// AskedFor is the subject of requests of strangers for a mail to the mailbox, sent or not.
func AskedFor(mailbox string) string { return "asked for " + mailbox }

// OwnMailbox is the subject of requests of an account for a mail to a mailbox of its own.
func OwnMailbox(account, mailbox string) string { return account + " " + mailbox }

// OfMailbox returns all of them, with that of the mails themselves.
func OfMailbox(account, mailbox string) []string {
	return []string{mailbox, AskedFor(mailbox), OwnMailbox(account, mailbox)}
}

package tasks_test

import (
	"testing"

	"usher/tasks"
)

// BenchmarkMails_Write writes an activation mail, subject, text and HTML.
func BenchmarkMails_Write(b *testing.B) {
	mails, mail := mustMails(b), activation(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := mails.Write(mail, tasks.Tokens{Link: token}); err != nil {
			b.Fatal(err)
		}
	}
}

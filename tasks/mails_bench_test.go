package tasks_test

import "testing"

// BenchmarkMails_Write writes an activation mail, subject, text and HTML.
func BenchmarkMails_Write(b *testing.B) {
	mails, mail := mustMails(b), activation(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := mails.Write(mail, token); err != nil {
			b.Fatal(err)
		}
	}
}

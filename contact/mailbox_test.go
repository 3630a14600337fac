package contact_test

import (
	"testing"

	"usher/contact"
)

func TestEmail_Mailbox_is_one_for_all_spellings(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"v@corp.example":         "v@corp.example",
		"v+1@corp.example":       "v@corp.example",
		"V+1+2@Corp.Example":     "v@corp.example",
		"v.w@corp.example":       "v.w@corp.example",
		"v-w@corp.example":       "v-w@corp.example",
		"+v@corp.example":        "+v@corp.example",
		"li.l.ei+shop@gmail.com": "lilei@gmail.com",
		"lilei@googlemail.com":   "lilei@gmail.com",
		"lilei-shop@yahoo.com":   "lilei-shop@yahoo.com",
		"a@lilei.fastmail.com":   "lilei@fastmail.com",
		"lilei+a@fastmail.fm":    "lilei@fastmail.fm",
		"a.b@v.corp.example":     "a.b@v.corp.example",
		"li.lei+shop@qq.com":     "li.lei@qq.com",
		"lilei+a@outlook.com":    "lilei@outlook.com",
	} {
		email, err := contact.ParseEmail(address)
		if err != nil {
			t.Fatalf("%s: %v", address, err)
		}
		if got := email.Mailbox(); got != want {
			t.Errorf("Mailbox of %s = %q, want %q", address, got, want)
		}
	}
	if got := (contact.Email{}).Mailbox(); got != "" {
		t.Errorf("Mailbox of no address = %q", got)
	}
}

package contact_test

import (
	"testing"

	"usher/contact"
)

func TestEmail_Domain_is_the_registered_one(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]struct {
		domain string
		public bool
	}{
		"v@corp.example":           {"corp.example", false},
		"v@a.b.corp.example":       {"corp.example", false},
		"v@MAIL.Corp.com.cn":       {"corp.com.cn", false},
		"v@gov.cn":                 {"gov.cn", false},
		"v@stu.pku.edu.cn":         {"pku.edu.cn", false},
		"v@\u4f8b\u5b50.example":   {"xn--fsqu00a.example", false},
		"10001@qq.com":             {"qq.com", true},
		"v@vip.qq.com":             {"qq.com", true},
		"v@163.com":                {"163.com", true},
		"v@gmail.com":              {"gmail.com", true},
		"v@gmail.com.corp.example": {"corp.example", false},
		"v@notgmail.com":           {"notgmail.com", false},
	} {
		email, err := contact.ParseEmail(address)
		if err != nil {
			t.Fatalf("%s: %v", address, err)
		}
		if domain, public := email.Domain(), email.PublicProvider(); domain != want.domain || public != want.public {
			t.Errorf("%s: domain %q, public %v; want %+v", address, domain, public, want)
		}
	}
	if none := (contact.Email{}); none.Domain() != "" || none.PublicProvider() {
		t.Errorf("no address has the domain %q", none.Domain())
	}
}

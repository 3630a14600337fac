package smtp

import "testing"

func TestConfig_helo(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ setting, hostname, from, want string }{
		{"usher.example.com", "vm", "a@corp.example", "usher.example.com"},
		{"[192.0.2.1]", "vm", "a@corp.example", "[192.0.2.1]"},
		{"", "mail.corp.example", "a@other.example", "mail.corp.example"},
		{"", "vm", "Usher <a@corp.example>", "corp.example"},
		{"", "3f2a9c1d77e0", "a@corp.example", "corp.example"},
		{"", "vm.localdomain", "a@corp.example", "corp.example"},
		{"", "", "a@localhost", "[127.0.0.1]"},
	} {
		cfg := Config{HELO: row.setting, From: row.from}
		if got := cfg.helo(func() (string, error) { return row.hostname, nil }); got != row.want {
			t.Errorf("helo of %+v = %q", row, got)
		}
	}
}

func TestConfig_checksHostAndHELO(t *testing.T) {
	t.Parallel()
	for variable, rows := range map[string]map[string]bool{
		"SMTP_HOST": {
			"smtp.163.com": true, "::1": true, "[::1]": true, "192.0.2.1": true, "2001:db8::25": true,
			"smtp.163.com:465": false, "[::1]:25": false, "https://smtp.163.com": false,
		},
		"SMTP_HELO": {
			"usher.example.com": true, "[192.0.2.1]": true, "[IPv6:2001:db8::1]": true, "a.local": true,
			"vm": false, "a b.example": false, "[x]": false, "usher.example.com\r\nRCPT": false, "-a.example": false,
		},
	} {
		for value, good := range rows {
			cfg := Config{Host: "smtp.example.com", TLS: startTLS, From: "a@example.com"}
			if variable == "SMTP_HOST" {
				cfg.Host = value
			} else {
				cfg.HELO = value
			}
			if mistakes := cfg.Validate(); (len(mistakes) == 0) != good {
				t.Errorf("%s=%q: %v", variable, value, mistakes)
			}
		}
	}
}

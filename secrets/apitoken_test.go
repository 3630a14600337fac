package secrets_test

import (
	"strings"
	"testing"

	"usher/secrets"
)

func TestCheckToken(t *testing.T) {
	t.Parallel()
	// A constant: tokens that clients have stored must stay valid. The sum was computed with Python's zlib.crc32.
	const token = "usr_0123456789ABCDEFGHIJKLMNOPQRSTUV_2zewna"
	for text, want := range map[string]bool{
		token:                                    true,
		secrets.NewToken("usr"):                  true,
		secrets.NewToken("usk"):                  false,
		secrets.NewToken("usr_live_a1b2c3d4"):    false,
		"":                                       false,
		"usr_":                                   false,
		"usr__":                                  false,
		token + "0":                              false,
		token[:len(token)-1]:                     false,
		" " + token[1:]:                          false,
		strings.ToUpper(token):                   false,
		strings.Replace(token, "_0", "_1", 1):    false,
		strings.Replace(token, "AB", "BA", 1):    false,
		strings.Replace(token, "AB", "A-", 1):    false,
		strings.Replace(token, "AB", "A\x00", 1): false,
		strings.Replace(token, "V_", "V0", 1):    false,
		strings.Replace(token, "usr", "usk", 1):  false,
	} {
		if got := secrets.CheckToken("usr", text); got != want {
			t.Errorf("CheckToken(%q) is %v", text, got)
		}
	}
	if withID := secrets.NewToken("usk_live_a1b2c3d4"); !secrets.CheckToken("usk_live_a1b2c3d4", withID) {
		t.Error("a prefix with an id is refused")
	}
}

func TestNewToken_is_random(t *testing.T) {
	t.Parallel()
	const n = 2000
	all, digits := map[string]bool{}, map[rune]int{}
	for range n {
		token := secrets.NewToken("usr")
		all[token] = true
		for _, r := range strings.Split(token, "_")[1] {
			digits[r]++
		}
	}
	if len(all) != n {
		t.Errorf("%d of %d tokens are different", len(all), n)
	}
	const mean = n * 32 / 62 // 1032, with a standard deviation of 32
	for r, count := range digits {
		if count < mean*3/4 || count > mean*5/4 {
			t.Errorf("digit %q occurs %d times, want about %d", r, count, mean)
		}
	}
	if len(digits) != 62 {
		t.Errorf("%d different digits occur, want 62", len(digits))
	}
}

func FuzzCheckToken(f *testing.F) {
	token := secrets.NewToken("usr")
	f.Add(token)
	f.Add("usr_" + strings.Repeat("0", 32) + "_000000")
	f.Add("usr__" + token)
	f.Add(strings.Repeat("_", 43))
	f.Fuzz(func(t *testing.T, text string) {
		if secrets.CheckToken("usr", text) && (len(text) != len(token) || strings.Count(text, "_") != 2) {
			t.Errorf("%q is accepted", text)
		}
	})
}

func TestKeys_SessionToken(t *testing.T) {
	t.Parallel()
	keys := mustKeys(t, "k1:"+encoded("a"))
	// A constant: tokens that clients have stored must stay valid.
	const token = "usr_0123456789ABszqumkuKKvtHE3EbXbxq_2NDAf9"
	if got := keys.SessionToken("0123456789AB", 7); got != token {
		t.Errorf("the token is %s, want %s", got, token)
	}
	if got := secrets.SessionHandle(token); got != "0123456789AB" {
		t.Errorf("the handle is %q", got)
	}
	for name, same := range map[string]bool{
		"itself":                 keys.IsSessionToken(token, "0123456789AB", 7),
		"a key that verifies":    mustKeys(t, "k2:"+encoded("b")+",k1:"+encoded("a")).IsSessionToken(token, "0123456789AB", 7),
		"a rotation's last step": mustKeys(t, "k1:"+encoded("a")+",k2:"+encoded("b")+",k1").IsSessionToken(token, "0123456789AB", 7),
	} {
		if !same {
			t.Errorf("%s refuses the token", name)
		}
	}
	for name, same := range map[string]bool{
		"another generation": keys.IsSessionToken(token, "0123456789AB", 8),
		"another handle":     keys.IsSessionToken(token, "0123456789AC", 7),
		"another key":        mustKeys(t, "k1:"+encoded("b")).IsSessionToken(token, "0123456789AB", 7),
	} {
		if same {
			t.Errorf("%s accepts the token", name)
		}
	}
	for _, text := range []string{"", "usr_", token + "0", strings.ToLower(token)} {
		if got := secrets.SessionHandle(text); got != "" {
			t.Errorf("the handle of %q is %q", text, got)
		}
	}
	for generation := range 200 { // whatever the number of leading zeros
		if text := keys.SessionToken(secrets.NewHandle(), generation); !secrets.CheckToken(secrets.SessionPrefix, text) {
			t.Errorf("%s is not in the form of a token", text)
		}
	}
}

func BenchmarkKeys_IsSessionToken(b *testing.B) {
	keys := mustKeys(b, "k1:"+encoded("a"))
	token := keys.SessionToken("0123456789AB", 7)
	b.ReportAllocs()
	for b.Loop() {
		if !keys.IsSessionToken(token, secrets.SessionHandle(token), 7) {
			b.Fatal("refused")
		}
	}
}

package testkit_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"usher/internal/testkit"
	"usher/secrets"
)

func TestFindSecrets_finds_a_planted_secret_in_every_form(t *testing.T) {
	t.Parallel()
	secrets := map[string]string{
		"code":     "481516",
		"mobile":   "13800138000",
		"password": `pä"ss<w>o&r/d+?`,
		"name":     "密码很长的",
		"token":    "\xfb\xff\xfe~~~\x00?", // bytes that differ between the base64 alphabets
	}
	forms := map[string]func(string) string{
		"raw":            func(s string) string { return "text " + s + " text" },
		"hex":            func(s string) string { return hex.EncodeToString([]byte(s)) },
		"upper-case hex": func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) },
		"query":          func(s string) string { return "?code=" + url.QueryEscape(s) + "&next=1" },
		"path":           func(s string) string { return "/codes/" + url.PathEscape(s) },
		"percent":        func(s string) string { return "%" + strings.ReplaceAll(fmt.Sprintf("% X", s), " ", "%") },
	}
	for shift := range 3 {
		for _, tail := range []string{"", "x", "yz"} {
			in := strings.Repeat("k", shift)
			forms[fmt.Sprintf("base64 std, %d before, %d after", shift, len(tail))] = func(s string) string {
				return base64.StdEncoding.EncodeToString([]byte(in + s + tail))
			}
			forms[fmt.Sprintf("base64 url, %d before, %d after", shift, len(tail))] = func(s string) string {
				return base64.RawURLEncoding.EncodeToString([]byte(in + s + tail))
			}
		}
	}
	for secretName, secret := range secrets {
		for formName, plant := range forms {
			text := plant(secret)
			if found := testkit.FindSecrets([]byte(text), "not there", secret); len(found) == 0 {
				t.Errorf("%s as %s is not found in %q", secretName, formName, text)
			}
		}
	}
}

func TestFindSecrets_finds_what_json_escapes(t *testing.T) {
	t.Parallel()
	secret := `pä"ss<w>密`
	encoded, err := json.Marshal(map[string]string{"password": secret})
	if err != nil {
		t.Fatal(err)
	}
	var plain strings.Builder
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(secret); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"with HTML escaped":    string(encoded),
		"without HTML escaped": plain.String(),
		"in ASCII":             `{"password":"p\u00e4\"ss<w>\u5bc6"}`,
		"escaped throughout":   `\u0070\u00E4\u0022\u0073\u0073\u003C\u0077\u003E\u5BC6`,
	} {
		if found := testkit.FindSecrets([]byte(text), secret); len(found) == 0 {
			t.Errorf("%s: not found in %q", name, text)
		}
	}
}

func TestFindSecrets_names_the_secret_by_position_only(t *testing.T) {
	t.Parallel()
	found := testkit.FindSecrets([]byte("the code is 481516."), "hunter22", "481516")
	if len(found) != 1 || found[0] != "secret 1 as it is at byte 12" {
		t.Errorf("got %q", found)
	}
}

func TestFindSecrets_overlooks_a_code_in_numbers_and_ids(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"",
		"2025-03-01T12:00:00.481516231Z",
		"id 9f2c481516ab04d1",
		"id 7d481516-32a1-4c7e-9f6b-0f2d8a1b9c3e",
	} {
		if found := testkit.FindSecrets([]byte(text), "481516"); len(found) != 0 {
			t.Errorf("in %q: %q, want nothing", text, found)
		}
	}
	for _, text := range []string{`"your code:\n481516"`, "%3D481516", "0481516 481516", "<b>481516</b>"} {
		if found := testkit.FindSecrets([]byte(text), "481516"); len(found) == 0 {
			t.Errorf("in %q: nothing, want the code", text)
		}
	}
}

func TestFindSecrets_reports_a_secret_too_short_to_look_for(t *testing.T) {
	t.Parallel()
	if found := testkit.FindSecrets([]byte("text"), ""); len(found) != 1 {
		t.Errorf("got %q, want one line", found)
	}
}

func TestFindCredentials_knows_their_forms(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	entry := "t1:" + base64.StdEncoding.EncodeToString(der)
	token := testkit.ForgeJWT(t, entry, map[string]string{"alg": "ES256"}, map[string]string{"sub": "account"})
	for credential, want := range map[string]string{
		entry:                   "a private key on P-256 at byte 9",
		token:                   "a JSON Web Token at byte 6",
		secrets.NewToken("usr"): "a token of a session at byte 6",
		"usk_0a1b2c3d_" + rand.Text() + rand.Text(): "a key of an app at byte 6",
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw":    "a secret that signs HTTP requests at byte 6",
	} {
		found := testkit.FindCredentials([]byte(`{"x":"` + credential + `"}`))
		if len(found) != 1 || found[0] != want {
			t.Errorf("%q, want %q", found, want)
		}
	}
	for _, text := range []string{"", "usr_", "POST /v1/sessions/current/token", "whsec_ and base64", "eyJhbGciOiJFUzI1NiJ9", "usk_…"} {
		if found := testkit.FindCredentials([]byte(text)); len(found) > 0 {
			t.Errorf("in %q: %q", text, found)
		}
	}
}

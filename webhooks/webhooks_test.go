package webhooks_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"usher/webhooks"
)

func keys(t testing.TB, text string) webhooks.Keys {
	t.Helper()
	k, err := webhooks.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const (
	newer = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	older = "whsec_plJ3nmyCDGBKInavdOK15jsl"
)

// vectors are the one of the reference library's tests, one that Svix publishes, and one that openssl computed.
var vectors = []struct {
	secret, id string
	at         int64
	body, want string
}{
	{newer, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, `{"test": 2432232314}`, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
	{older, "msg_loFOjxBNrRLzqYUf", 1731705121, `{"event_type":"ping","data":{"success":true}}`, "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="},
	{
		"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "msg_01", 1767323045,
		`{"type":"sms.send","to":"+8613800138000","code":"012345"}`, "v1,DnGXeC9QigquZyBMf8fYe8NO9WwhrVlEWASmmoyLtIE=",
	},
}

func TestKeys_sign_the_published_examples(t *testing.T) {
	t.Parallel()
	for _, v := range vectors {
		header, at := http.Header{}, time.Unix(v.at, 0)
		k := keys(t, v.secret)
		k.Sign(header, v.id, at, []byte(v.body))
		if got := header.Get(webhooks.HeaderSignature); got != v.want {
			t.Errorf("%s is signed %s, want %s", v.id, got, v.want)
		}
		if id, err := k.Verify(header, []byte(v.body), at); id != v.id || err != nil {
			t.Errorf("Verify(%s) = %q, %v", v.id, id, err)
		}
	}
}

// signed returns the headers of one request.
func signed(t *testing.T, secrets string, at time.Time, body string) http.Header {
	t.Helper()
	header := http.Header{}
	keys(t, secrets).Sign(header, "msg_1", at, []byte(body))
	return header
}

func TestKeys_of_both_secrets_match_while_one_is_replaced(t *testing.T) {
	t.Parallel()
	now := time.Unix(1767323045, 0)
	for sender, receivers := range map[string][]string{
		newer + "," + older:   {newer, older, newer + "," + older},
		newer:                 {newer + "," + older, older + "," + newer, newer},
		older + " , " + newer: {newer, older},
	} {
		header := signed(t, sender, now, "{}")
		for _, receiver := range receivers {
			if _, err := keys(t, receiver).Verify(header, []byte("{}"), now); err != nil {
				t.Errorf("%v", err)
			}
		}
	}
	if _, err := keys(t, newer).Verify(signed(t, older, now, "{}"), []byte("{}"), now); err != webhooks.ErrSignature { //nolint:errorlint // not wrapped
		t.Errorf("another secret: %v", err)
	}
	if _, err := (webhooks.Keys{}).Verify(signed(t, older, now, "{}"), []byte("{}"), now); err != webhooks.ErrSignature { //nolint:errorlint // not wrapped
		t.Errorf("no secret: %v", err)
	}
}

func TestVerify_refuses_what_was_not_signed_now(t *testing.T) {
	t.Parallel()
	now := time.Unix(1767323045, 0)
	for name, c := range map[string]struct {
		change func(http.Header)
		body   string
		want   error
	}{
		"another body":        {func(http.Header) {}, "{ }", webhooks.ErrSignature},
		"another id":          {set(webhooks.HeaderID, "msg_2"), "{}", webhooks.ErrSignature},
		"a second later":      {set(webhooks.HeaderTimestamp, "1767323046"), "{}", webhooks.ErrSignature},
		"no id":               {set(webhooks.HeaderID, ""), "{}", webhooks.ErrHeaders},
		"an id with a dot":    {set(webhooks.HeaderID, "msg.1"), "{}", webhooks.ErrHeaders},
		"a long id":           {set(webhooks.HeaderID, strings.Repeat("x", 129)), "{}", webhooks.ErrHeaders},
		"no timestamp":        {set(webhooks.HeaderTimestamp, ""), "{}", webhooks.ErrHeaders},
		"a timestamp in text": {set(webhooks.HeaderTimestamp, "now"), "{}", webhooks.ErrHeaders},
		"no signature":        {set(webhooks.HeaderSignature, ""), "{}", webhooks.ErrHeaders},
		"a long signature":    {set(webhooks.HeaderSignature, strings.Repeat("v1,AAAA ", 200)), "{}", webhooks.ErrHeaders},
		"another version":     {set(webhooks.HeaderSignature, "v2,AAAA"), "{}", webhooks.ErrSignature},
		"no base64":           {set(webhooks.HeaderSignature, "v1,%%%"), "{}", webhooks.ErrSignature},
		"no comma":            {set(webhooks.HeaderSignature, "v1"), "{}", webhooks.ErrSignature},
	} {
		header := signed(t, newer, now, "{}")
		c.change(header)
		if id, err := keys(t, newer).Verify(header, []byte(c.body), now); id != "" || err != c.want { //nolint:errorlint // not wrapped
			t.Errorf("%s: %q, %v, want %v", name, id, err, c.want)
		}
	}
}

func set(name, value string) func(http.Header) {
	return func(h http.Header) { h.Set(name, value) }
}

func TestVerify_refuses_old_and_future_requests(t *testing.T) {
	t.Parallel()
	now := time.Unix(1767323045, 0)
	for age, want := range map[time.Duration]error{
		webhooks.Tolerance: nil, -webhooks.Tolerance: nil,
		webhooks.Tolerance + time.Second: webhooks.ErrTimestamp, -webhooks.Tolerance - time.Second: webhooks.ErrTimestamp,
	} {
		if _, err := keys(t, newer).Verify(signed(t, newer, now.Add(-age), "{}"), []byte("{}"), now); err != want { //nolint:errorlint // not wrapped
			t.Errorf("%v old: %v, want %v", age, err, want)
		}
	}
}

func TestVerify_reads_lists_as_other_senders_write_them(t *testing.T) {
	t.Parallel()
	v := vectors[0]
	for _, list := range []string{"v1a,AAAA " + v.want, v.want + ", v1,AAAA", "v1,AAAA,  " + v.want + ",", "v9 x " + v.want} {
		header := http.Header{}
		header.Set(webhooks.HeaderID, v.id)
		header.Set(webhooks.HeaderTimestamp, fmt.Sprint(v.at))
		header.Set(webhooks.HeaderSignature, list)
		if _, err := keys(t, v.secret).Verify(header, []byte(v.body), time.Unix(v.at, 0)); err != nil {
			t.Errorf("%q: %v", list, err)
		}
	}
}

func TestParseKeys_refuses_what_is_no_secret_and_shows_nothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_****", newer + ",", newer + " " + older,
		newer + "," + older + "," + newer, "whsec_" + strings.Repeat("A", 88), "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	} {
		if k, err := webhooks.ParseKeys(text); err == nil || !k.IsZero() {
			t.Errorf("%q is accepted", text)
		} else if len(text) > 8 && strings.Contains(err.Error(), text) {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v %s %q", keys(t, newer), keys(t, newer), keys(t, newer), keys(t, newer), keys(t, newer)); strings.Trim(text, "* ") != "" {
		t.Errorf("keys print as %s", text)
	}
}

func FuzzVerify(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.id, fmt.Sprint(v.at), v.want, []byte(v.body))
	}
	f.Add("msg_1", "-9223372036854775808", "v1,", []byte{})
	k := keys(f, "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	f.Fuzz(func(t *testing.T, id, at, signature string, body []byte) {
		header := http.Header{webhooks.HeaderID: {id}, webhooks.HeaderTimestamp: {at}, webhooks.HeaderSignature: {signature}}
		if got, err := k.Verify(header, body, time.Unix(1767323045, 0)); err == nil {
			if again := signedAgain(k, got, at, body); !strings.Contains(signature, again) {
				t.Errorf("accepted id %q, timestamp %q, signature %q; want %s", id, at, signature, again)
			}
		}
	})
}

// signedAgain signs what was accepted, without its version.
func signedAgain(k webhooks.Keys, id, at string, body []byte) string {
	var seconds int64
	_, _ = fmt.Sscan(at, &seconds)
	header := http.Header{}
	k.Sign(header, id, time.Unix(seconds, 0), body)
	return strings.TrimPrefix(header.Get(webhooks.HeaderSignature), "v1,")
}

// The second example that the specification's libraries publish.
func TestKeys_sign_the_published_example_of_Ed25519(t *testing.T) {
	t.Parallel()
	const (
		private = "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="
		body    = `{"test": 2432232314}`
		want    = "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="
	)
	signature := func(text string) string {
		k, err := webhooks.ParseSigningKeys(text)
		if err != nil {
			t.Fatal(err)
		}
		header := http.Header{}
		k.Sign(header, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(body))
		return header.Get(webhooks.HeaderSignature)
	}
	if got := signature(private); got != want {
		t.Errorf("signed %s, want %s", got, want)
	}
	if got := signature(newer + "," + private); got != vectors[0].want+" "+want {
		t.Errorf("both kinds sign %s", got)
	}
	if _, err := webhooks.ParseKeys(private); err == nil {
		t.Error("a private key is taken for a shared secret")
	}
	for _, text := range []string{"whsk_", "whsk_AAAA", "whsk_?", private + "," + private + "," + private} {
		if _, err := webhooks.ParseSigningKeys(text); err == nil {
			t.Errorf("%d characters are accepted", len(text))
		}
	}
}

func TestPublicKey_verifies_what_the_private_one_signs(t *testing.T) {
	t.Parallel()
	private := webhooks.NewPrivateKey()
	text, ok := webhooks.PublicKey(private)
	encoded, prefixed := strings.CutPrefix(text, "whpk_")
	public, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || !prefixed || err != nil || len(public) != ed25519.PublicKeySize {
		t.Fatalf("public key %q, %v", text, err)
	}
	k, err := webhooks.ParseSigningKeys(private)
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{}
	k.Sign(header, "evt_1", time.Unix(1767323045, 0), []byte("body"))
	signature, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(header.Get(webhooks.HeaderSignature), "v1a,"))
	if err != nil || !ed25519.Verify(public, []byte("evt_1.1767323045.body"), signature) {
		t.Errorf("the signature does not verify: %v", err)
	}
	if _, ok := webhooks.PublicKey(newer); ok {
		t.Error("a shared secret has a public key")
	}
}

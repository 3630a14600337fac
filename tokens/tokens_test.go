package tokens_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"usher/contact"
	"usher/internal/testkit"
	"usher/messages"
	"usher/tokens"
)

const issuer = "https://signup.example.com"

var start = time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)

// newEntry makes a key of the setting.
func newEntry(t testing.TB, id string) string {
	t.Helper()
	entry, err := tokens.NewKey(id)
	if err != nil {
		t.Fatal(err)
	}
	return entry.Reveal()
}

func newIssuer(t testing.TB, name string, now func() time.Time, entries ...string) *tokens.Issuer {
	t.Helper()
	keys, err := tokens.ParseKeys(strings.Join(entries, ","))
	if err != nil {
		t.Fatal(err)
	}
	i, err := tokens.New(keys, name, now)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func session() tokens.SessionClaims {
	return tokens.SessionClaims{Audience: "shop", Account: "0193a7c2", Session: "public-id", Generation: 3}
}

func TestIssuer_Session_says_who_is_signed_in(t *testing.T) {
	t.Parallel()
	clock := testkit.NewClock(start)
	i := newIssuer(t, issuer, clock.Now, newEntry(t, "t1"))
	token, err := i.Session(session())
	if err != nil {
		t.Fatal(err)
	}
	got, err := i.VerifySession(token.Reveal(), "shop", 3)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.ID) < 20 {
		t.Errorf("id %q is too short to be unique", got.ID)
	}
	want := session()
	want.ID, want.IssuedAt, want.ExpiresAt = got.ID, start, start.Add(5*time.Minute)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	header, body := testkit.JWTParts(t, token.Reveal())
	wantHeader := map[string]any{"alg": "ES256", "kid": i.Keys().List()[0].KID, "typ": "usher-session+jwt"}
	if diff := cmp.Diff(wantHeader, header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	wantBody := map[string]any{
		"iss": issuer, "aud": "shop", "sub": "0193a7c2", "sid": "public-id", "gen": 3., "jti": got.ID,
		"iat": float64(start.Unix()), "exp": float64(start.Unix() + 300),
	}
	if diff := cmp.Diff(wantBody, body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func TestIssuer_Proof_says_whose_number_or_address_it_is(t *testing.T) {
	t.Parallel()
	clock := testkit.NewClock(start)
	i := newIssuer(t, issuer, clock.Now, newEntry(t, "t1"))
	mobile, err := contact.ParseMobile("13800138000")
	if err != nil {
		t.Fatal(err)
	}
	email, err := contact.ParseEmail("li.lei@example.com")
	if err != nil {
		t.Fatal(err)
	}
	claims := tokens.ProofClaims{App: "app1", Verification: "v1", Channel: messages.SMS, Purpose: "register", Mobile: mobile, Nonce: "n-1"}
	byMail := claims
	byMail.Channel, byMail.Mobile, byMail.Email = messages.Email, contact.Mobile{}, email
	for name, claims := range map[string]tokens.ProofClaims{"phone_number": claims, "email": byMail} {
		proof, id, err := i.Proof(claims)
		if err != nil {
			t.Fatal(err)
		}
		got, err := i.VerifyProof(proof.Reveal(), "app1")
		if err != nil {
			t.Fatal(err)
		}
		claims.ID, claims.IssuedAt, claims.ExpiresAt = id, start, start.Add(10*time.Minute)
		if got != claims {
			t.Errorf("%s: got %+v, want %+v", name, got, claims)
		}
		header, body := testkit.JWTParts(t, proof.Reveal())
		if header["typ"] != "usher-proof+jwt" {
			t.Errorf("typ %v", header["typ"])
		}
		if want := map[string]any{"phone_number": "+8613800138000", "email": "li.lei@example.com"}[name]; body[name] != want {
			t.Errorf("%s: the body says %v, want %v", name, body[name], want)
		}
		if _, err := i.VerifyProof(proof.Reveal(), "app2"); !errors.Is(err, tokens.ErrAudience) {
			t.Errorf("%s for another app: %v", name, err)
		}
		clock.Advance(10 * time.Minute)
		if _, err := i.VerifyProof(proof.Reveal(), "app1"); !errors.Is(err, tokens.ErrExpired) {
			t.Errorf("%s after ten minutes: %v", name, err)
		}
		clock.Set(start)
	}
}

func TestIssuer_VerifySession_refuses_bad_tokens(t *testing.T) {
	t.Parallel()
	clock := testkit.NewClock(start)
	entry, other := newEntry(t, "t1"), newEntry(t, "t2")
	i := newIssuer(t, issuer, clock.Now, entry)
	kid, otherKID := i.Keys().List()[0].KID, newIssuer(t, issuer, clock.Now, other).Keys().List()[0].KID
	token, err := i.Session(session())
	if err != nil {
		t.Fatal(err)
	}
	good := token.Reveal()
	header, body := testkit.JWTParts(t, token.Reveal())
	if _, err := i.VerifySession(testkit.ForgeJWT(t, entry, header, body), "shop", 0); err != nil {
		t.Fatalf("a token like ours is refused: %v", err)
	}
	dot := strings.LastIndexByte(good, '.')
	for name, bad := range map[string]struct {
		token string
		want  error
	}{
		"empty":                    {"", tokens.ErrMalformed},
		"a word":                   {"token", tokens.ErrMalformed},
		"four parts":               {good + ".x", tokens.ErrMalformed},
		"JSON serialization":       {`{"payload":"e30","signatures":[]}`, tokens.ErrMalformed},
		"huge":                     {good + strings.Repeat("A", 4096), tokens.ErrTooLarge},
		"none":                     {testkit.JWTSegment(t, testkit.With(header, "alg", "none")) + "." + testkit.JWTSegment(t, body) + ".", tokens.ErrAlgorithm},
		"NONE":                     {testkit.JWTSegment(t, testkit.With(header, "alg", "nOnE")) + "." + testkit.JWTSegment(t, body) + ".", tokens.ErrAlgorithm},
		"HS256 with public key":    {hs256(t, i, testkit.With(header, "alg", "HS256"), body), tokens.ErrAlgorithm},
		"signature away":           {good[:dot+1], tokens.ErrSignature},
		"body of another":          {testkit.JWTSegment(t, header) + "." + testkit.JWTSegment(t, testkit.With(body, "sub", "other")) + good[dot:], tokens.ErrSignature},
		"header of another":        {testkit.JWTSegment(t, testkit.With(header, "x", "y")) + "." + testkit.JWTSegment(t, body) + good[dot:], tokens.ErrSignature},
		"other key":                {testkit.ForgeJWT(t, other, header, body), tokens.ErrSignature},
		"other key's kid":          {testkit.ForgeJWT(t, other, testkit.With(header, "kid", otherKID), body), tokens.ErrUnknownKey},
		"no kid":                   {testkit.ForgeJWT(t, entry, testkit.With(header, "kid", nil), body), tokens.ErrUnknownKey},
		"id of the setting as kid": {testkit.ForgeJWT(t, entry, testkit.With(header, "kid", "t1"), body), tokens.ErrUnknownKey},
		"own key in the header":    {testkit.ForgeJWT(t, other, testkit.With(testkit.With(header, "jwk", jwkOf(t, other)), "kid", kid), body), tokens.ErrSignature},
		"critical extension":       {testkit.ForgeJWT(t, entry, testkit.With(testkit.With(header, "crit", []string{"x"}), "x", 1), body), tokens.ErrSignature},
		"other type":               {testkit.ForgeJWT(t, entry, testkit.With(header, "typ", "usher-proof+jwt"), body), tokens.ErrType},
		"type JWT":                 {testkit.ForgeJWT(t, entry, testkit.With(header, "typ", "JWT"), body), tokens.ErrType},
		"no type":                  {testkit.ForgeJWT(t, entry, testkit.With(header, "typ", nil), body), tokens.ErrType},
		"other issuer":             {testkit.ForgeJWT(t, entry, header, testkit.With(body, "iss", issuer+"/")), tokens.ErrIssuer},
		"other audience":           {testkit.ForgeJWT(t, entry, header, testkit.With(body, "aud", "blog")), tokens.ErrAudience},
		"no audience":              {testkit.ForgeJWT(t, entry, header, testkit.With(body, "aud", nil)), tokens.ErrAudience},
		"several audiences":        {testkit.ForgeJWT(t, entry, header, testkit.With(body, "aud", []string{"shop", "blog"})), tokens.ErrMalformed},
		"expired":                  {testkit.ForgeJWT(t, entry, header, testkit.With(body, "exp", start.Unix())), tokens.ErrExpired},
		"no expiry":                {testkit.ForgeJWT(t, entry, header, testkit.With(body, "exp", nil)), tokens.ErrExpired},
		"from the future":          {testkit.ForgeJWT(t, entry, header, testkit.With(body, "iat", start.Unix()+61)), tokens.ErrEarly},
		"no subject":               {testkit.ForgeJWT(t, entry, header, testkit.With(body, "sub", nil)), tokens.ErrMalformed},
		"without id":               {testkit.ForgeJWT(t, entry, header, testkit.With(body, "jti", nil)), tokens.ErrMalformed},
		"old generation":           {testkit.ForgeJWT(t, entry, header, testkit.With(body, "gen", 2)), tokens.ErrGeneration},
		"body is a list":           {testkit.ForgeJWT(t, entry, header, []string{}), tokens.ErrMalformed},
	} {
		_, err := i.VerifySession(bad.token, "shop", 3)
		if !errors.Is(err, bad.want) {
			t.Errorf("%s: %v, want %v", name, err, bad.want)
		}
		if len(bad.token) > 10 && err != nil && strings.Contains(err.Error(), bad.token[:10]) {
			t.Errorf("%s: the error quotes the token", name)
		}
	}
	if _, err := i.VerifySession(good, "", 0); !errors.Is(err, tokens.ErrAudience) {
		t.Errorf("without an audience to compare with: %v", err)
	}
	if _, err := i.VerifyProof(good, "shop"); !errors.Is(err, tokens.ErrType) {
		t.Errorf("a session token as a proof: %v", err)
	}
}

// hs256 signs with the published key as the secret of an HMAC, which a verifier without a list of algorithms accepts.
func hs256(t *testing.T, i *tokens.Issuer, header, body map[string]any) string {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(i.Keys().JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(set.Keys[0].Key)
	if err != nil {
		t.Fatal(err)
	}
	signed := testkit.JWTSegment(t, header) + "." + testkit.JWTSegment(t, body)
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func jwkOf(t *testing.T, entry string) any {
	t.Helper()
	var set map[string][]any
	if err := json.Unmarshal(newIssuer(t, issuer, time.Now, entry).Keys().JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	return set["keys"][0]
}

func TestKeys_rotation_leaves_no_token_without_its_key(t *testing.T) {
	t.Parallel()
	clock := testkit.NewClock(start)
	first, second := newEntry(t, "t1"), newEntry(t, "t2")
	before := newIssuer(t, issuer, clock.Now, first)
	during := newIssuer(t, issuer, clock.Now, first, second)
	after := newIssuer(t, issuer, clock.Now, second, first)
	end := newIssuer(t, issuer, clock.Now, second)
	sign := func(i *tokens.Issuer) string {
		token, err := i.Session(session())
		if err != nil {
			t.Fatal(err)
		}
		return token.Reveal()
	}
	byFirst, bySecond := sign(during), sign(after)
	for name, step := range map[string]struct {
		verifier *tokens.Issuer
		token    string
		want     error
	}{
		"old key signs while the new one is published":   {before, byFirst, nil},
		"new token where both are published":             {during, bySecond, nil},
		"old token after the change":                     {after, byFirst, nil},
		"new token at a verifier that skipped a step":    {before, bySecond, tokens.ErrUnknownKey},
		"old token after its key was dropped":            {end, byFirst, tokens.ErrUnknownKey},
		"new token after the old key was dropped":        {end, bySecond, nil},
		"new token before the old key was dropped again": {after, bySecond, nil},
	} {
		if _, err := step.verifier.VerifySession(step.token, "shop", 0); !errors.Is(err, step.want) {
			t.Errorf("%s: %v, want %v", name, err, step.want)
		}
	}
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	first, second := newEntry(t, "t1"), newEntry(t, "t2")
	keys, err := tokens.ParseKeys(first + ", " + second)
	if err != nil {
		t.Fatal(err)
	}
	list := keys.List()
	if len(list) != 2 || list[0].ID != "t1" || !list[0].Signs || list[1].ID != "t2" || list[1].Signs {
		t.Errorf("list %+v", list)
	}
	_, material, _ := strings.Cut(first, ":")
	for name, bad := range map[string]struct{ spec, want string }{
		"empty":              {"", "entry 1: want id:base64"},
		"no id":              {material, "entry 1: want id:base64"},
		"long id":            {"abcdefghi:" + material, "entry 1: want id:base64"},
		"id with a dot":      {"a.b:" + material, "entry 1: want id:base64"},
		"id alone":           {first + "," + second + ",t1", "entry 3: want id:base64"},
		"no base64":          {"t1:***", "entry 1: want id:base64"},
		"random bytes":       {"t1:" + base64.StdEncoding.EncodeToString(make([]byte, 32)), "entry 1: want id:base64"},
		"other curve":        {first + ",t2:" + pkcs8(t, elliptic.P384()), "entry 2: want id:base64"},
		"RSA":                {"t1:" + rsaKey(t), "entry 1: want id:base64"},
		"same id":            {first + ",t1:" + strings.TrimPrefix(second, "t2:"), "entry 2: id t1 is used twice"},
		"same key":           {first + ",t2:" + material, "entry 2 (t2): the same key as t1"},
		"too many":           {strings.Repeat(first+",", 9), "want at most 8 keys"},
		"empty entry":        {first + ",", "entry 2: want id:base64"},
		"key with a newline": {first[:20] + "\n" + first[20:90], "entry 1: want id:base64"},
	} {
		_, err := tokens.ParseKeys(bad.spec)
		if err == nil || !strings.HasPrefix(err.Error(), bad.want) {
			t.Errorf("%s: %v, want %s", name, err, bad.want)
		}
		if err != nil && strings.Contains(err.Error(), material[:12]) {
			t.Errorf("%s: the error quotes the key", name)
		}
	}
}

func pkcs8(t *testing.T, curve elliptic.Curve) string {
	t.Helper()
	private, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return encoded(t, private)
}

func rsaKey(t *testing.T) string {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return encoded(t, private)
}

func encoded(t *testing.T, private any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// The thumbprint is computed here by the standard's words, without the library.
func TestKeys_JWKS_publishes_the_public_half_alone(t *testing.T) {
	t.Parallel()
	entry := newEntry(t, "t1")
	keys, err := tokens.ParseKeys(entry)
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(keys.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	k := set.Keys[0]
	// RFC 7638, section 3: the required members in their order without white space.
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, k["x"], k["y"]))
	want := map[string]string{
		"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "x": k["x"], "y": k["y"],
		"kid": base64.RawURLEncoding.EncodeToString(sum[:]),
	}
	if diff := cmp.Diff([]map[string]string{want}, set.Keys); diff != "" {
		t.Errorf("set (-want +got):\n%s", diff)
	}
}

func TestIssuer_Session_bounds_its_tokens(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, issuer, time.Now, newEntry(t, "t1"))
	claims := session()
	claims.Session = strings.Repeat("s", 4096)
	if _, err := i.Session(claims); !errors.Is(err, tokens.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

func FuzzIssuer_VerifySession(f *testing.F) {
	i := newIssuer(f, issuer, time.Now, newEntry(f, "t1"))
	token, err := i.Session(session())
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", ".", "..", "e30.e30.", token.Reveal(), token.Reveal() + ".", "eyJhbGciOiJub25lIn0.e30."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		claims, err := i.VerifySession(text, "shop", 0)
		if err == nil && text != token.Reveal() {
			t.Errorf("%q is accepted as %+v", text, claims)
		}
	})
}

func BenchmarkIssuer_Session(b *testing.B) {
	i := newIssuer(b, issuer, time.Now, newEntry(b, "t1"))
	claims := session()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := i.Session(claims); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIssuer_VerifySession(b *testing.B) {
	i := newIssuer(b, issuer, time.Now, newEntry(b, "t1"))
	token, err := i.Session(session())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := i.VerifySession(token.Reveal(), "shop", 0); err != nil {
			b.Fatal(err)
		}
	}
}

package pow_test

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usher/captcha"
	"usher/captcha/challenge"
	"usher/captcha/pow"
	"usher/internal/testkit"
)

const most = 40 // derivations: little, for tests

func newMaker() *pow.Maker {
	return &pow.Maker{Secrets: []pow.Secrets{{Challenge: "one", Key: "two"}}, Most: most}
}

// solve does the work and returns the payload as a tree, to be changed, and as the client sends it.
func solve(t testing.TB, c pow.Challenge) (tree map[string]any, sent string) {
	t.Helper()
	nonce, salt := decoded(t, c.Parameters.Nonce), decoded(t, c.Parameters.Salt)
	for counter := range uint32(c.Parameters.Data.Most) + 1 {
		password := binary.BigEndian.AppendUint32(append([]byte{}, nonce...), counter)
		key, err := pbkdf2.Key(sha256.New, string(password), salt, c.Parameters.Cost, c.Parameters.KeyLength)
		if err != nil {
			t.Fatal(err)
		}
		if text := hex.EncodeToString(key); strings.HasPrefix(text, c.Parameters.KeyPrefix) {
			tree = map[string]any{"challenge": c, "solution": map[string]any{"counter": counter, "derivedKey": text, "time": 1.5}}
			sent = encoded(t, tree)
			if err := json.Unmarshal(raw(t, sent), &tree); err != nil {
				t.Fatal(err)
			}
			return tree, sent
		}
	}
	t.Fatal("no counter solves the challenge")
	return nil, ""
}

func decoded(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func encoded(t testing.TB, tree any) string {
	t.Helper()
	text, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(text)
}

func raw(t testing.TB, sent string) []byte {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(sent)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func made(t testing.TB, m *pow.Maker, price challenge.Price) (string, pow.Challenge) {
	t.Helper()
	id, c, err := m.Make(price, time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return id, c
}

func TestMaker_takes_the_work_that_it_asked(t *testing.T) {
	t.Parallel()
	m := newMaker()
	id, c := made(t, m, challenge.Normal)
	if !captcha.ValidID(id) {
		t.Errorf("the id %q is none", id)
	}
	_, sent := solve(t, c)
	if err := m.Verify(id, sent, time.Now()); err != nil {
		t.Errorf("got %v", err)
	}
	if len(sent) > 900 {
		t.Errorf("the payload has %d bytes, and a field holds 1024", len(sent))
	}
	after := &pow.Maker{Secrets: []pow.Secrets{{"new", "newer"}, m.Secrets[0]}, Most: most}
	if err := after.Verify(id, sent, time.Now()); err != nil {
		t.Errorf("after a change of keys: %v", err)
	}
}

func TestMaker_Make_asks_more_for_a_higher_price(t *testing.T) {
	t.Parallel()
	for price, times := range map[challenge.Price]int{challenge.Normal: 1, challenge.Raised: 4, challenge.High: 16} {
		_, c := made(t, newMaker(), price)
		if got := c.Parameters.Data; got.Most != times*most || got.Price != price {
			t.Errorf("%s: got %+v, want %d", price, got, times*most)
		}
	}
}

// What is signed for one challenge may not be used for another, and nothing in it be changed.
func TestMaker_Verify_refuses(t *testing.T) {
	t.Parallel()
	m := newMaker()
	id, c := made(t, m, challenge.Normal)
	otherID, other := made(t, m, challenge.Normal)
	_, right := solve(t, c)
	otherTree, otherSent := solve(t, other)
	change := func(change func(parameters, solution map[string]any)) string {
		tree, _ := solve(t, c)
		change(tree["challenge"].(map[string]any)["parameters"].(map[string]any), tree["solution"].(map[string]any))
		return encoded(t, tree)
	}
	set := func(name string, value any) string {
		return change(func(parameters, _ map[string]any) { parameters[name] = value })
	}
	for name, sent := range map[string]string{
		"nothing":            "",
		"no base64":          "***",
		"no JSON":            base64.StdEncoding.EncodeToString([]byte("{")),
		"JSON of no payload": base64.StdEncoding.EncodeToString([]byte(`[1,2]`)),
		"two values":         base64.StdEncoding.EncodeToString(append(raw(t, right), "{}"...)),
		"too long":           base64.StdEncoding.EncodeToString(append(raw(t, right), strings.Repeat(" ", 1024)...)),
		"of another":         otherSent,
		"another algorithm":  set("algorithm", "PBKDF2/SHA-1"),
		"another cost":       set("cost", 1),
		"a huge cost":        set("cost", 1<<40),
		"a cost as text":     set("cost", "1000"),
		"a later end":        set("expiresAt", time.Now().Add(time.Hour).Unix()),
		"no end":             change(func(parameters, _ map[string]any) { delete(parameters, "expiresAt") }),
		"a high price":       set("data", map[string]any{"most": most, "price": "high"}),
		"another prefix":     set("keyPrefix", "00"),
		"no key signature":   set("keySignature", ""),
		"an unknown field":   set("memoryCost", 1),
		"another nonce":      set("nonce", other.Parameters.Nonce),
		"spliced parameters": change(func(parameters, _ map[string]any) {
			for name, value := range otherTree["challenge"].(map[string]any)["parameters"].(map[string]any) {
				if name != "nonce" {
					parameters[name] = value
				}
			}
		}),
		"no key":     change(func(_, solution map[string]any) { solution["derivedKey"] = "" }),
		"half a key": change(func(_, solution map[string]any) { solution["derivedKey"] = c.Parameters.KeyPrefix }),
		"a made-up key": change(func(_, solution map[string]any) {
			solution["derivedKey"] = c.Parameters.KeyPrefix + strings.Repeat("0", 32)
		}),
		"a key signed for another": change(func(parameters, solution map[string]any) {
			parameters["keySignature"] = other.Parameters.KeySignature
			solution["derivedKey"] = otherTree["solution"].(map[string]any)["derivedKey"]
		}),
		"a negative counter": change(func(_, solution map[string]any) { solution["counter"] = -1 }),
	} {
		if err := m.Verify(id, sent, time.Now()); !errors.Is(err, pow.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := m.Verify(otherID, right, time.Now()); !errors.Is(err, pow.ErrInvalid) {
		t.Errorf("for another id: got %v", err)
	}
	if err := m.Verify(id, right, time.Now().Add(2*time.Minute)); !errors.Is(err, pow.ErrInvalid) {
		t.Errorf("ended: got %v", err)
	}
	if err := (&pow.Maker{Secrets: []pow.Secrets{{"x", "y"}}}).Verify(id, right, time.Now()); !errors.Is(err, pow.ErrInvalid) {
		t.Errorf("of other keys: got %v", err)
	}
}

func FuzzMaker_Verify(f *testing.F) {
	m := newMaker()
	id, c := made(f, m, challenge.Normal)
	_, right := solve(f, c)
	for _, seed := range []string{right, "", "e30=", base64.StdEncoding.EncodeToString([]byte(`{"challenge":{"parameters":{"cost":1e99}}}`))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		if err := m.Verify(id, sent, time.Now()); err == nil && string(raw(t, sent)) != string(raw(t, right)) && !strings.Contains(string(raw(t, sent)), c.Signature) {
			t.Errorf("took %q", sent)
		}
	})
}

// The file is what createChallenge and solveChallenge of altcha-lib 2.8.0 gave for our parameters and keys.
func TestMaker_takes_a_vector_of_altcha_lib(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "altcha-lib-2.8.0.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vector struct{ Challenge pow.Challenge }
	if err := json.Unmarshal(text, &vector); err != nil {
		t.Fatal(err)
	}
	nonce, end := decoded(t, vector.Challenge.Parameters.Nonce), time.Unix(vector.Challenge.Parameters.ExpiresAt, 0)
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		t.Fatal(err)
	}
	id, sent := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(nonce), base64.StdEncoding.EncodeToString(compact.Bytes())
	if err := newMaker().Verify(id, sent, end.Add(-time.Second)); err != nil {
		t.Errorf("got %v", err)
	}
	if err := newMaker().Verify(id, sent, end); !errors.Is(err, pow.ErrInvalid) {
		t.Errorf("at its end: got %v", err)
	}
	_, ours := solve(t, vector.Challenge)
	if err := newMaker().Verify(id, ours, end.Add(-time.Second)); err != nil {
		t.Errorf("solved by the test: got %v", err)
	}
}

// ALTCHA's own library solves our challenges and verifies what it gave; we verify it, too.
func TestMaker_agrees_with_altcha_lib(t *testing.T) {
	t.Parallel()
	node, dir := testkit.NeedProgram(t, "node"), testkit.NPM(t, "altcha-lib@2.8.0")
	const program = `
import { solveChallenge, verifySolution } from 'altcha-lib';
import { deriveKey } from 'altcha-lib/algorithms/pbkdf2';
import { webcrypto } from 'node:crypto';
globalThis.crypto ??= webcrypto; // node 18
const challenge = JSON.parse(process.argv[2]);
const solution = await solveChallenge({ challenge, deriveKey });
const { verified } = await verifySolution({ challenge, solution, deriveKey, hmacSignatureSecret: 'one', hmacKeySignatureSecret: 'two' });
const derived = await verifySolution({ challenge, solution, deriveKey, hmacSignatureSecret: 'one' });
console.log(JSON.stringify({ verified: verified && derived.verified, payload: btoa(JSON.stringify({ challenge, solution })) }));`
	if err := os.WriteFile(filepath.Join(dir, "solve.js"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	m := newMaker()
	id, c := made(t, m, challenge.Normal)
	asked, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), node, "solve.js", string(asked))
	run.Dir = dir
	out, err := run.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Verified bool
		Payload  string
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if !got.Verified {
		t.Error("altcha-lib does not verify its own solution of our challenge")
	}
	if err := m.Verify(id, got.Payload, time.Now()); err != nil {
		t.Errorf("we do not take its solution: %v", err)
	}
}

// BenchmarkSolve is a program that does the work of the default price on one core.
func BenchmarkSolve(b *testing.B) {
	maker := &pow.Maker{Secrets: newMaker().Secrets, Most: 300} // USHER_CAPTCHA_WORK
	rounds := 0
	for b.Loop() {
		_, c := made(b, maker, challenge.Normal)
		tree, _ := solve(b, c)
		rounds += c.Parameters.Cost * (1 + int(tree["solution"].(map[string]any)["counter"].(float64)))
	}
	b.ReportMetric(float64(rounds)/b.Elapsed().Seconds(), "rounds/s")
	b.ReportMetric(float64(rounds)/float64(b.N), "rounds/op")
}

func BenchmarkMaker_Make(b *testing.B) {
	m := newMaker()
	for b.Loop() {
		made(b, m, challenge.Normal)
	}
}

func BenchmarkMaker_Verify(b *testing.B) {
	m := newMaker()
	id, c := made(b, m, challenge.Normal)
	_, sent := solve(b, c)
	for b.Loop() {
		if err := m.Verify(id, sent, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}

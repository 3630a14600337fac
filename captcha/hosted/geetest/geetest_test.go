package geetest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"usher/captcha/hosted"
	"usher/captcha/hosted/geetest"
	"usher/sandbox"
)

// bundle is a client with a sandbox as its vendor.
type bundle struct {
	*sandbox.Server
	base   string
	client *geetest.Client
}

func setup(t *testing.T, change func(*geetest.Config)) *bundle {
	t.Helper()
	fakes, err := sandbox.Open(t.Context(), sandbox.Config{HTTPAddr: "127.0.0.1:0", SMTPAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(fakes.Handler())
	t.Cleanup(func() { _ = fakes.Close(); server.Close() })
	keys := fakes.Credentials().Geetest
	config := geetest.Config{
		CaptchaID: keys.CaptchaID, Key: keys.Key, Endpoint: server.URL + "/geetest", Script: server.URL + "/geetest/v4/gt4.js",
	}
	if change != nil {
		change(&config)
	}
	return &bundle{fakes, server.URL + "/geetest", geetest.New(config)}
}

// solve returns the token of a person.
func (b *bundle) solve(t *testing.T) string {
	t.Helper()
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, b.base+"/verify?captcha_id="+b.Credentials().Geetest.CaptchaID, http.NoBody)
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		Data struct{ Seccode json.RawMessage }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || len(answer.Data.Seccode) == 0 {
		t.Fatalf("no token: %v", err)
	}
	return string(answer.Data.Seccode)
}

func (b *bundle) verify(ctx context.Context, token string) (bool, error) {
	ok, score, err := b.client.Verify(ctx, token, netip.MustParseAddr("203.0.113.9"))
	if ok != (score == 1) {
		return ok, errors.New("score does not fit")
	}
	return ok, err
}

func TestClient_Verify_passes_a_token_once(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	token := b.solve(t)
	if ok, err := b.verify(t.Context(), token); !ok || err != nil {
		t.Fatalf("got %t, %v; want it right", ok, err)
	}
	if ok, err := b.verify(t.Context(), token); ok || err != nil {
		t.Errorf("the second use: got %t, %v; want it refused", ok, err)
	}
}

// What is changed or malformed is refused; what cannot be a token does not reach the vendor.
func TestClient_Verify_refuses_wrong_tokens(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	change := func(field string, value any) string {
		var fields map[string]any
		if err := json.Unmarshal([]byte(b.solve(t)), &fields); err != nil {
			t.Fatal(err)
		}
		if fields[field] = value; value == nil {
			delete(fields, field)
		}
		text, _ := json.Marshal(fields)
		return string(text)
	}
	for name, token := range map[string]string{
		"no token": "k7m3p", "nothing": "", "too long": strings.Repeat("a", 10<<10), "an array": "[]",
		"of another account": change("captcha_id", strings.Repeat("b", 32)),
		"another lot":        change("lot_number", strings.Repeat("0", 32)),
		"no lot":             change("lot_number", nil),
		"lot is a number":    change("lot_number", 5),
		"another pass token": change("pass_token", strings.Repeat("0", 64)),
		"another output":     change("captcha_output", "AAAA"),
		"another time":       change("gen_time", "1715850000"),
		"time with letters":  change("gen_time", "1715850000x"),
		"a header":           change("pass_token", "a\r\nX: y"),
	} {
		if ok, err := b.verify(t.Context(), token); ok || err != nil {
			t.Errorf("%s: got %t, %v; want it refused", name, ok, err)
		}
	}
}

func TestClient_Verify_with_a_wrong_key_passes_nothing(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *geetest.Config) { c.Key = strings.Repeat("0", 32) })
	if ok, err := b.verify(t.Context(), b.solve(t)); ok || err != nil {
		t.Errorf("got %t, %v", ok, err)
	}
}

func TestClient_ID_is_one_for_all_spellings_of_a_token(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	token := b.solve(t)
	first, ok := b.client.ID(token)
	second, also := b.client.ID("  " + strings.Replace(token, `{`, `{"more":1,`, 1))
	if !ok || !also || first != second || first == "" {
		t.Errorf("got %q, %t and %q, %t", first, ok, second, also)
	}
	if _, ok := b.client.ID("k7m3p"); ok {
		t.Error("a text that is no token has an id")
	}
}

// Faults of the vendor are neither yes nor no, and quote nothing.
func TestClient_Verify_and_faults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault sandbox.Fault
		want  error
	}{
		"down":          {sandbox.Fault{Status: 500}, hosted.ErrAway},
		"redirect":      {sandbox.Fault{Status: 302}, hosted.ErrAway},
		"garbage":       {sandbox.Fault{Garbage: true}, hosted.ErrAway},
		"reset":         {sandbox.Fault{Reset: true}, hosted.ErrAway},
		"slow":          {sandbox.Fault{DelayMS: 60_000}, hosted.ErrAway},
		"paused id":     {sandbox.Fault{Code: "-50105"}, hosted.ErrMisconfigured},
		"runtime error": {sandbox.Fault{Code: "-50000"}, hosted.ErrUnclear},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			if err := b.SetFaults(sandbox.Faults{Geetest: &test.fault}); err != nil {
				t.Fatal(err)
			}
			token := b.solve(t)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			if test.fault.DelayMS > 0 {
				cancel()
				ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
			}
			defer cancel()
			ok, err := b.verify(ctx, token)
			if ok || !errors.Is(err, test.want) {
				t.Fatalf("got %t, %v; want %v", ok, err, test.want)
			}
			id, _ := b.client.ID(token)
			for _, secret := range []string{id, b.Credentials().Geetest.Key, "captcha_id="} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error quotes %q: %v", secret, err)
				}
			}
		})
	}
}

// The question has the fields of the vendor's contract and no address of the client. An answer without end is not read.
func TestClient_Verify_asks_as_the_contract_says(t *testing.T) {
	t.Parallel()
	var asked *http.Request
	var body []byte
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r
		body, _ = io.ReadAll(r.Body)
		for range 1000 {
			if _, err := io.WriteString(w, strings.Repeat(" ", 1024)); err != nil {
				return
			}
		}
	}))
	t.Cleanup(endless.Close)
	b := setup(t, func(c *geetest.Config) { c.Endpoint = endless.URL })
	token := b.solve(t)
	ok, err := b.verify(t.Context(), token)
	if ok || !errors.Is(err, hosted.ErrAway) || !strings.Contains(err.Error(), "too long") {
		t.Errorf("got %t, %v", ok, err)
	}
	if asked.Method != http.MethodPost || asked.URL.Path != "/validate" || asked.URL.Query().Get("captcha_id") != b.Credentials().Geetest.CaptchaID {
		t.Errorf("asked %s %s", asked.Method, asked.URL)
	}
	for _, field := range []string{"lot_number=", "captcha_output=", "pass_token=", "gen_time=", "sign_token="} {
		if !strings.Contains(string(body), field) {
			t.Errorf("the question has no %s", field)
		}
	}
	if strings.Contains(string(body)+asked.URL.String(), "203.0.113.9") {
		t.Error("the vendor gets the client's address")
	}
}

func TestClient_Check(t *testing.T) {
	t.Parallel()
	if err := setup(t, nil).client.Check(t.Context()); err != nil {
		t.Errorf("got %v for an account that is known", err)
	}
	unknown := setup(t, func(c *geetest.Config) { c.CaptchaID = strings.Repeat("0", 32) })
	if err := unknown.client.Check(t.Context()); !errors.Is(err, hosted.ErrMisconfigured) {
		t.Errorf("got %v for an unknown account", err)
	}
	away := setup(t, func(c *geetest.Config) { c.Endpoint = "http://127.0.0.1:1" })
	if err := away.client.Check(t.Context()); !errors.Is(err, hosted.ErrAway) {
		t.Errorf("got %v without a vendor", err)
	}
}

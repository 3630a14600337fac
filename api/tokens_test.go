package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"usher/api"
	"usher/internal/testkit"
	"usher/limits"
	"usher/tokens"
)

// withTokens gives a face keys for tokens, and two audiences.
func withTokens(t *testing.T) func(*api.Server) {
	t.Helper()
	entry := must(tokens.NewKey("t1"))(t)
	keys := must(tokens.ParseKeys(entry.Reveal()))(t)
	return func(s *api.Server) {
		s.Tokens = must(tokens.New(keys, s.Config.PublicURL.String(), s.Now))(t)
		s.Config.TokenAudiences = []string{"shop", "https://blog.example.com"}
	}
}

func TestTokens_say_who_is_signed_in(t *testing.T) {
	t.Parallel()
	b := setup(t, withTokens(t))
	p := b.person()
	account := p.signUp("li_lei", number)
	for _, audience := range b.face.Config.TokenAudiences {
		got := p.post("/v1/sessions/current/token", body{"aud": audience}).want(200, "0")
		if got.Data["expires_in"] != 300. || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("expires in %v, Cache-Control %q", got.Data["expires_in"], got.header.Get("Cache-Control"))
		}
		claims, err := b.face.Tokens.VerifySession(got.str("token"), audience, 0)
		if err != nil {
			t.Fatal(err)
		}
		sessions := p.get("/v1/sessions").want(200, "0").Data["sessions"].([]any)
		if id := sessions[0].(map[string]any)["id"]; claims.Session != id || claims.Account != account.str("id") {
			t.Errorf("claims %+v, want account %s and session %v", claims, account.str("id"), id)
		}
		if found := testkit.FindSecrets([]byte(b.logs.String()), got.str("token")); len(found) > 0 {
			t.Errorf("the log has the token: %v", found)
		}
	}
}

func TestTokens_of_a_new_generation_after_a_change_of_the_password(t *testing.T) {
	t.Parallel()
	b := setup(t, withTokens(t))
	p := b.person()
	p.signUp("li_lei", number)
	generation := func() int {
		token := p.post("/v1/sessions/current/token", body{"aud": "shop"}).want(200, "0").str("token")
		return must(b.face.Tokens.VerifySession(token, "shop", 0))(t).Generation
	}
	before := generation()
	p.put("/v1/account/password", newPasswords(password, nextPassword)).want(200, "0")
	if after := generation(); after <= before {
		t.Errorf("generation %d, then %d", before, after)
	}
}

func TestTokens_are_refused(t *testing.T) {
	t.Parallel()
	b := setup(t, withTokens(t))
	p, stranger := b.person(), b.person()
	stranger.post("/v1/sessions/current/token", body{"aud": "shop"}).want(401, "4101")
	p.signUp("li_lei", number)
	for _, audience := range []string{"", "Shop", "shop ", "shop,https://blog.example.com", "*", strings.Repeat("s", 1000)} {
		got := p.post("/v1/sessions/current/token", body{"aud": audience})
		if audience == "shop " { // white space around a value is removed everywhere
			got.want(200, "0")
			continue
		}
		if got.want(422, "4103").Fields["aud"] == "" {
			t.Errorf("audience %q: the refusal does not name the field", shorten(audience))
		}
	}
	p.post("/v1/sessions/current/token", body{"aud": "shop", "sub": "other"}).want(400, "4103")
	p.delete("/v1/sessions/current").want(200, "0")
	p.post("/v1/sessions/current/token", body{"aud": "shop"}).want(401, "4101")
}

func TestTokens_are_limited_by_account(t *testing.T) {
	t.Parallel()
	change := withTokens(t)
	b := setup(t, func(s *api.Server) {
		change(s)
		s.Limits[limits.TokenAccount] = limits.Limit{Name: limits.TokenAccount, Count: 2, Period: time.Minute}
	})
	p, other := b.person(), b.person()
	p.signUp("li_lei", number)
	other.signUp("han_meimei", nextNumber)
	for range 2 {
		p.post("/v1/sessions/current/token", body{"aud": "shop"}).want(200, "0")
	}
	if got := p.post("/v1/sessions/current/token", body{"aud": "shop"}).want(429, "4206"); got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	other.post("/v1/sessions/current/token", body{"aud": "shop"}).want(200, "0")
}

func TestTokens_without_keys_are_off(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.signUp("li_lei", number)
	if got := p.post("/v1/sessions/current/token", body{"aud": "shop"}).want(404, "4002"); !strings.Contains(got.Errmsg, "USHER_TOKEN_KEYS") {
		t.Errorf("the refusal does not say what to set: %s", got.Errmsg)
	}
	p.get("/.well-known/jwks.json").want(404, "4002")
}

func TestKeySet_is_public(t *testing.T) {
	t.Parallel()
	b := setup(t, withTokens(t))
	for _, origin := range []string{"", "https://anywhere.example.net"} {
		p := b.person()
		if origin != "" {
			p.header = http.Header{"Origin": {origin}}
		}
		got := p.get("/.well-known/jwks.json")
		for name, want := range map[string]string{
			"Content-Type": "application/json", "Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*",
			"Access-Control-Allow-Credentials": "", "Cross-Origin-Resource-Policy": "cross-origin", "Vary": "", "Set-Cookie": "",
		} {
			if got.header.Get(name) != want {
				t.Errorf("origin %q: %s is %q, want %q", origin, name, got.header.Get(name), want)
			}
		}
		var set struct {
			Keys []map[string]string `json:"keys"`
		}
		if err := json.Unmarshal([]byte(got.text), &set); err != nil || got.status != 200 || len(set.Keys) != 1 {
			t.Fatalf("%d %s: %v", got.status, got.text, err)
		}
		if set.Keys[0]["kid"] != b.face.Tokens.Keys().List()[0].KID || set.Keys[0]["d"] != "" {
			t.Errorf("key %v", set.Keys[0])
		}
	}
	if head := b.person().do(request{method: "HEAD", path: "/.well-known/jwks.json"}); head.status != 200 || head.text != "" {
		t.Errorf("HEAD: %d %q", head.status, head.text)
	}
}

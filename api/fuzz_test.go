package api_test

import (
	"net/http"
	"testing"

	"usher/api"
	"usher/limits"
)

// FuzzBodies sends strange bodies to every endpoint: whatever comes back is no 5xx, has the envelope
// and keeps to the contract.
func FuzzBodies(f *testing.F) {
	for i, e := range endpoints() {
		f.Add(i, "application/json", e.body)
	}
	for i, text := range []string{
		``, `{}`, `null`, `[]`, `{"a":1}`, `{"mobile":"138\u0000"}`, `{"token":1e999}`, "{\"login\":\"\xff\"}", `{"kind":null}`,
		`{"username":"ﷺﷺﷺﷺﷺ","password":"\ud800","agree":true}`, `{"email":"a@b.c\r\nBcc: d@e.f"}`, `{"mobile":"１３８００１３８０００"}`,
	} {
		f.Add(i, "application/json", text)
		f.Add(i, "application/x-www-form-urlencoded", text)
	}
	shared := setup(f, func(s *api.Server) { s.Limits = limits.Set{} })
	f.Fuzz(func(t *testing.T, i int, media, text string) {
		if !printable(media) {
			t.Skip("not a header")
		}
		b := *shared
		b.t = t
		all := endpoints()
		path := all[uint(i)%uint(len(all))].path
		got := b.person().do(request{method: "POST", path: path, contentType: media, text: text})
		if got.status >= http.StatusInternalServerError || got.Errno == "" || got.RequestID == "" {
			t.Errorf("%s: %q is answered with %d %s", path, text, got.status, got.text)
		}
	})
}

func printable(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

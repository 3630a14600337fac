package prove_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"

	"usher/captcha/pow"
	"usher/internal/testclient"
)

// Row 23: proofs of work that are replayed, forged, or put together from two; and recordings without a picture.
func TestRow23_captchas_are_paid_for_once(t *testing.T) {
	t.Parallel()
	r := newRow(t, 23, "proofs of work replayed, forged and spliced; recordings without a picture")
	f := newFleet(t, map[string]string{"USHER_CAPTCHA_KIND": "pow", "USHER_CAPTCHA_WORK": "100"})
	rounds := size(3, 100)
	sent, forged := 0, 0
	for round := range rounds {
		sent += f.replayWork(t, round)
		forged += f.forgeWork(t, round)
	}
	r.tried("%d rounds of %d uses of one proof, and of %d forgeries", rounds, uses, len(forgedWork))
	r.exactly("SMS by proofs", sent, rounds)
	r.exactly("SMS by forgeries", forged, 0)
	r.exactly("recordings alone", f.hearAlone(), 0)
}

// askWork asks for a proof of work and does the work.
func (f *fleet) askWork(t testing.TB) (id string, asked pow.Challenge, proof map[string]any) {
	t.Helper()
	answer := f.people[0].Must(http.StatusCreated, http.MethodPost, "/v1/captchas", map[string]any{"kind": "pow"})
	text, err := json.Marshal(answer.Data["challenge"])
	if err == nil {
		err = json.Unmarshal(text, &asked)
	}
	if err != nil {
		t.Fatal(err)
	}
	return answer.Text("captcha_id"), asked, map[string]any{"challenge": asked, "solution": testclient.Solve(t, asked)}
}

func payload(t testing.TB, proof any) string {
	t.Helper()
	text, err := json.Marshal(proof)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(text)
}

// replayWork sends one proof many times at once, and returns how often it was taken.
func (f *fleet) replayWork(t *testing.T, round int) int {
	t.Helper()
	id, _, proof := f.askWork(t)
	answer := payload(t, proof)
	got := f.crowd(t, uses, "/v1/sms-codes", func(i int) map[string]any {
		return map[string]any{"mobile": number(int64(round*uses + i)), "purpose": "login", "captcha_id": id, "captcha": answer}
	})
	if got["202 0"]+got["422 4201"] != uses {
		t.Errorf("answers %v, want one 202 and else 422", got)
	}
	return got["202 0"]
}

// forgedWork change a challenge that was asked, with what was asked of another.
var forgedWork = map[string]func(asked *pow.Challenge, other pow.Challenge){
	"cheaper":          func(asked *pow.Challenge, _ pow.Challenge) { asked.Parameters.Cost = 1 },
	"a huge cost":      func(asked *pow.Challenge, _ pow.Challenge) { asked.Parameters.Cost = 1 << 40 },
	"dearer than paid": func(asked *pow.Challenge, _ pow.Challenge) { asked.Parameters.Data.Price = "high" },
	"longer":           func(asked *pow.Challenge, _ pow.Challenge) { asked.Parameters.ExpiresAt += 3600 },
	"other algorithm":  func(asked *pow.Challenge, _ pow.Challenge) { asked.Parameters.Algorithm = "SHA-1" },
	"other prefix":     func(asked *pow.Challenge, _ pow.Challenge) { asked.Parameters.KeyPrefix = "00" },
	"spliced key": func(asked *pow.Challenge, other pow.Challenge) {
		asked.Parameters.KeySignature = other.Parameters.KeySignature
	},
	"spliced whole": func(asked *pow.Challenge, other pow.Challenge) { *asked = other },
	"unsigned":      func(asked *pow.Challenge, _ pow.Challenge) { asked.Signature = "" },
	"other nonce": func(asked *pow.Challenge, other pow.Challenge) {
		nonce := asked.Parameters.Nonce
		*asked = other
		asked.Parameters.Nonce = nonce
	},
}

// forgeWork answers each challenge with a forgery and the right key of another, and returns how many were taken.
func (f *fleet) forgeWork(t *testing.T, round int) (taken int) {
	t.Helper()
	_, other, paid := f.askWork(t)
	for name, forge := range forgedWork {
		id, asked, _ := f.askWork(t)
		forge(&asked, other)
		answer := f.people[1].Do(http.MethodPost, "/v1/sms-codes", map[string]any{
			"mobile": number(int64(1_000_000 + round)), "purpose": "login", "captcha_id": id,
			"captcha": payload(t, map[string]any{"challenge": asked, "solution": paid["solution"]}),
		})
		if answer.Status == http.StatusAccepted {
			taken++
		} else if answer.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: answer %d", name, answer.Status)
		}
	}
	return taken
}

// hearAlone requests recordings without a picture, with a spent picture, and with a recording in its place.
func (f *fleet) hearAlone() (heard int) {
	p := f.people[0]
	hear := func(replaces string) string {
		answer := p.Do(http.MethodPost, "/v1/captchas", map[string]any{"kind": "audio", "replaces": replaces})
		if answer.Status != http.StatusCreated {
			return ""
		}
		return answer.Text("captcha_id")
	}
	picture := p.Must(http.StatusCreated, http.MethodPost, "/v1/captchas", map[string]any{}).Text("captcha_id")
	spoken := hear(picture) // the one that is allowed
	work := p.Must(http.StatusCreated, http.MethodPost, "/v1/captchas", map[string]any{"kind": "pow"}).Text("captcha_id")
	for _, replaces := range []string{"", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", picture, spoken, work} {
		if hear(replaces) != "" {
			heard++
		}
	}
	return heard
}

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// peerAnswers is a server that refuses with the status 200 when n ends in a digit of refused, and fails when it ends in one
// of failed.
func peerAnswers(t *testing.T, refused, failed string) *peer {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch n := r.URL.Query().Get("n"); {
		case strings.ContainsAny(n[len(n)-1:], failed):
			http.Error(w, "out of order", http.StatusInternalServerError)
		case strings.ContainsAny(n[len(n)-1:], refused):
			fmt.Fprint(w, `{"code": "4201"}`)
		default:
			fmt.Fprint(w, `{"code": "0"}`)
		}
	}))
	t.Cleanup(server.Close)
	return &peer{url: server.URL + "/?n={n}", method: http.MethodGet, good: `"code": "0"`}
}

// loadPeer asks a peer for the numbers from 1 to count.
func loadPeer(t *testing.T, p *peer, count int) (*outcome, error) {
	t.Helper()
	c, err := p.caller(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{options: options{duration: patience}}
	return b.runSide(t.Context(), comparison{callers: [sides]caller{thePeer: c}, count: count}, thePeer, 3, patience)
}

func TestPeer_has_refusals_of_status_200_counted_apart(t *testing.T) {
	t.Parallel()
	o, err := loadPeer(t, peerAnswers(t, "123", ""), 100)
	if err != nil {
		t.Fatal(err)
	}
	if o.done != 70 || o.refused != 30 || o.failed != 0 || o.refusals() != 30 {
		t.Errorf("got %d good, %d refused (%v %%), %d failed; want 70, 30 (30 %%), 0", o.done, o.refused, o.refusals(), o.failed)
	}
	if got := o.times.TotalCount(); got != 70 {
		t.Errorf("%d times were recorded, want those of the 70 good answers", got)
	}
}

func TestPeer_is_no_figure_when_it_fails_or_refuses_all(t *testing.T) {
	t.Parallel()
	if _, err := loadPeer(t, peerAnswers(t, "", "7"), 100); err == nil || !strings.Contains(err.Error(), "500") {
		t.Errorf("one failure in ten: got %v, want an error with the status", err)
	}
	if _, err := loadPeer(t, peerAnswers(t, "123456789", ""), 9); err == nil || !strings.Contains(err.Error(), "4201") {
		t.Errorf("refusals only: got %v, want an error with one of them", err)
	}
	if _, err := peerAnswers(t, "0", "").caller(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "4201") {
		t.Errorf("the first answer is a refusal: got %v", err)
	}
}

func TestPeer_has_its_seed_before_each_round(t *testing.T) {
	t.Parallel()
	p := peerAnswers(t, "", "")
	list := filepath.Join(t.TempDir(), "seeds")
	p.seed = "echo {from} {to} >> " + list
	if _, err := loadPeer(t, p, 20); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(list); err != nil || string(got) != "0 0\n1 20\n" {
		t.Errorf("got seeds %q, %v", got, err)
	}
	p.seed = "echo no such store; exit 3"
	if _, err := p.caller(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "no such store") {
		t.Errorf("a seed that fails: got %v", err)
	}
}

func TestPeer_is_refused_without_the_text_of_a_good_answer(t *testing.T) {
	t.Parallel()
	if _, err := parse([]string{"-peer-send", "http://127.0.0.1:1/"}); err == nil || !strings.Contains(err.Error(), "-peer-send-good") {
		t.Errorf("got %v", err)
	}
}

func TestRow_tells_the_peers_refusals_beside_its_figure(t *testing.T) {
	t.Parallel()
	r := row{unit: perSec, peer: "Django", samples: [sides]sample{ours: {800}, thePeer: {100}}, refused: sample{12}, target: ofPeer(8)}
	text, ratio := r.peerText()
	bound, verdict := r.verdict()
	if text != "100 /s: Django; besides, 12.0 % of its answers were refusals" || ratio != "8.00" || bound != "≥ 8 × the peer" || verdict != "met" {
		t.Errorf("got %q, %q, %q, %q", text, ratio, bound, verdict)
	}
}

package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// session is a line of the list of sessions.
type session struct {
	ID         string
	CreatedAt  time.Time `json:"created_at"`
	SeenAt     time.Time `json:"seen_at"`
	Remembered bool
	Current    bool
	Client     string
	Network    string
}

func (p *person) sessions() []session {
	p.b.t.Helper()
	var data struct{ Data struct{ Sessions []session } }
	if err := json.Unmarshal([]byte(p.get("/v1/sessions").want(200, "0").text), &data); err != nil {
		p.b.t.Fatal(err)
	}
	return data.Data.Sessions
}

const (
	onWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
	onPhone   = "Mozilla/5.0 (Linux; Android 14; 23127PN0CC) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/116.0.0.0 Mobile Safari/537.36 MicroMessenger/8.0.50.2701"
)

func TestSessions_are_listed_for_their_owner(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.header = http.Header{"User-Agent": {onWindows}}
	p.signUp("li_lei", number)
	signedUp := b.clock.Now()
	b.clock.Advance(5 * time.Minute)
	phone := b.person()
	phone.header = http.Header{"User-Agent": {onPhone}}
	phone.signIn(true)
	b.person().signUp("somebody_else", nextNumber)
	b.clock.Advance(10 * time.Minute)

	list := p.sessions()
	if len(list) != 2 {
		t.Fatalf("sessions are %+v", list)
	}
	here, there := list[0], list[1]
	if !here.Current || here.Remembered || here.Client != "Chrome, Windows" || here.Network != "127.0.0.0/24" ||
		here.CreatedAt.Unix() != signedUp.Unix() || here.SeenAt.Unix() != b.clock.Now().Unix() {
		t.Errorf("the present session is %+v", here)
	}
	if there.Current || !there.Remembered || there.Client != "WeChat, Android" || there.ID == here.ID {
		t.Errorf("the other session is %+v", there)
	}
	if mirrored := phone.sessions(); len(mirrored) != 2 || mirrored[0].ID != there.ID || !mirrored[0].Current {
		t.Errorf("the phone sees %+v", mirrored)
	}
	for _, s := range list { // an id is no cookie
		stranger := b.person()
		stranger.setCookie(s.ID)
		stranger.wantSignedIn(false)
	}
}

func TestSessions_seen_is_noted_of_remembered_ones_too(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.person().signUp("li_lei", number)
	p := b.signedIn(true)
	b.clock.Advance(48 * time.Hour)
	p.wantSignedIn(true)
	list := p.sessions()
	if len(list) != 1 || list[0].SeenAt.Unix() != b.clock.Now().Unix() {
		t.Errorf("sessions are %+v: the idle one is over, the remembered one was seen just now", list)
	}
}

func TestSessions_end_one(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.signUp("li_lei", number)
	other, third := b.signedIn(true), b.signedIn(false)
	id := other.sessions()[0].ID

	stranger := b.person()
	stranger.signUp("somebody_else", nextNumber)
	stranger.delete("/v1/sessions/"+id).want(404, "4002")
	other.wantSignedIn(true)

	p.delete("/v1/sessions/"+id).want(200, "0")
	p.delete("/v1/sessions/"+id).want(404, "4002")
	other.wantSignedIn(false)
	third.wantSignedIn(true)
	if list := p.sessions(); len(list) != 2 {
		t.Errorf("sessions are %+v", list)
	}
	for _, garbage := range []string{"x", strings.Repeat("A", 2000), "%00", "..%2f.."} {
		p.delete("/v1/sessions/"+garbage).want(404, "4002")
	}
	own := p.sessions()[0].ID
	p.delete("/v1/sessions/"+own).want(200, "0")
	if p.cookie() != "" {
		t.Error("the cookie of the session that was ended is still there")
	}
	p.wantSignedIn(false)
}

func TestSessions_end_all_others(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.signUp("li_lei", number)
	others := []*person{b.signedIn(true), b.signedIn(false), b.signedIn(true)}
	if got := p.delete("/v1/sessions").want(200, "0").Data["ended"]; got != 3.0 {
		t.Errorf("ended %v sessions", got)
	}
	for _, other := range others {
		other.wantSignedIn(false)
	}
	p.wantSignedIn(true)
	if got := p.delete("/v1/sessions").want(200, "0").Data["ended"]; got != 0.0 {
		t.Errorf("ended %v sessions, of none", got)
	}
}

func TestSessions_leave_the_list_when_they_end(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.signUp("li_lei", number)
	other := b.signedIn(true)
	other.delete("/v1/sessions/current").want(200, "0")
	for range 3 { // each takes the place of the one before
		p.signIn(false)
	}
	if list := p.sessions(); len(list) != 1 || !list[0].Current {
		t.Errorf("sessions are %+v", list)
	}
	keys := 0
	for _, key := range b.redis.Keys() {
		if value, err := b.redis.Get(key); err == nil && strings.HasSuffix(key, ":session") && value != "ended" {
			keys++
		}
	}
	if keys != 1 {
		t.Errorf("Redis holds %d sessions, want 1", keys)
	}
}

func TestSessions_have_a_number(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	first := b.person()
	first.signUp("li_lei", number)
	for range 50 {
		b.clock.Advance(15 * time.Second)
		b.signedIn(false)
	}
	first.wantSignedIn(false)
	if last := b.signedIn(false); len(last.sessions()) != 50 {
		t.Errorf("%d sessions", len(last.sessions()))
	}
}

func TestSessions_hold_little_of_what_a_client_says(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.person().signUp("li_lei", number)
	for agent, want := range map[string]string{
		"curl/8.5.0":           "curl",
		"okhttp/4.12.0":        "okhttp",
		"python-requests/2.32": "python-requests",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1": "Safari, iPhone",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:130.0) Gecko/20100101 Firefox/130.0":                                                    "Firefox, macOS",
		"Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0":                       "Edge, Windows",
		"<script>alert(1)</script>":      "",
		"Mozilla/5.0":                    "",
		strings.Repeat("A", 2000):        "",
		"13800138000 li.lei@example.com": "",
	} {
		p := b.person()
		p.header = http.Header{"User-Agent": {agent}}
		p.signIn(false)
		if got := p.sessions()[0].Client; got != want {
			t.Errorf("%.60q is shown as %q, want %q", agent, got, want)
		}
		b.clock.Advance(time.Minute)
	}
}

func TestSessions_list_says_unavailable_when_redis_is_away(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.signUp("li_lei", number)
	b.redis.SetError("LOADING")
	p.get("/v1/sessions").want(503, "4301")
	p.delete("/v1/sessions").want(503, "4301")
	b.redis.SetError("")
	p.wantSignedIn(true)
}

func TestSessions_ended_while_a_request_runs_stay_ended(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.signUp("li_lei", number)
	for i := range 20 {
		other := b.signedIn(false)
		id := other.sessions()[0].ID
		b.clock.Advance(2 * time.Minute) // so that the next request writes the session down
		done := make(chan *reply)
		go func() { done <- other.get("/v1/sessions/current") }()
		p.delete("/v1/sessions/"+id).want(200, "0")
		<-done
		if got := other.get("/v1/sessions/current"); got.status != http.StatusUnauthorized {
			t.Fatal(fmt.Sprint("round ", i, ": the session came back to life"))
		}
	}
}

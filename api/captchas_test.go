package api_test

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"usher/api"
	"usher/captcha"
	"usher/captcha/challenge"
	"usher/captcha/pow"
	"usher/limits"
	"usher/store/redisstore"
)

// askForWork has proofs of work asked.
func askForWork(t *testing.T) func(*api.Server) {
	t.Helper()
	return func(s *api.Server) {
		s.Captcha = must(captcha.New(captcha.Config{Kind: captcha.Work, Fixed: captchaText}))(t)
	}
}

// challenge decodes the challenge of an answer.
func (r *reply) challenge() pow.Challenge {
	r.t.Helper()
	var c pow.Challenge
	text := must(json.Marshal(r.Data["challenge"]))(r.t)
	if err := json.Unmarshal(text, &c); err != nil || c.Signature == "" {
		r.t.Fatalf("no challenge in %s", r.text)
	}
	return c
}

// prove does the work as a browser does and returns what it sends.
func prove(t testing.TB, c pow.Challenge) string {
	t.Helper()
	nonce, salt := must(hex.DecodeString(c.Parameters.Nonce))(t), must(hex.DecodeString(c.Parameters.Salt))(t)
	for counter := range uint32(c.Parameters.Data.Most) + 1 {
		password := binary.BigEndian.AppendUint32(append([]byte{}, nonce...), counter)
		key := must(pbkdf2.Key(sha256.New, string(password), salt, c.Parameters.Cost, c.Parameters.KeyLength))(t)
		if text := hex.EncodeToString(key); strings.HasPrefix(text, c.Parameters.KeyPrefix) {
			payload := body{"challenge": c, "solution": body{"counter": counter, "derivedKey": text}}
			return base64.StdEncoding.EncodeToString(must(json.Marshal(payload))(t))
		}
	}
	t.Fatal("no counter solves the challenge")
	return ""
}

// solved returns the right answer to what was asked: a text, a proof of work, or both.
func (r *reply) solved() string {
	r.t.Helper()
	switch {
	case r.Data["challenge"] == nil:
		return captchaText
	case r.Data["image"] == nil && r.Data["audio"] == nil:
		return prove(r.t, r.challenge())
	default:
		return captchaText + " " + prove(r.t, r.challenge())
	}
}

func TestWork_opens_once_what_a_picture_opens(t *testing.T) {
	t.Parallel()
	b := setup(t, askForWork(t))
	p := b.person()
	work := func() (id, proof string) {
		asked := p.post("/v1/captchas", body{"kind": "pow"}).want(201, "0")
		return asked.str("captcha_id"), prove(t, asked.challenge())
	}
	send := func(id, answer string) *reply {
		return p.post("/v1/sms-codes", body{"mobile": number, "purpose": "login", "captcha_id": id, "captcha": answer})
	}
	id, proof := work()
	if p.post("/v1/captchas/"+id+"/check", body{"answer": proof}).want(200, "0").Data["valid"] != true {
		t.Error("a right proof is not valid")
	}
	_, other := work()
	send(id, other).want(422, "4202") // another challenge's proof
	send(id, proof).want(422, "4201") // and that has spent it
	id, _ = work()
	send(id, "pow").want(422, "4202") // what is kept is no answer
	id, proof = work()
	send(id, proof).want(202, "0")
	send(id, proof).want(422, "4201") // once
	id, proof = work()
	b.clock.Advance(6 * time.Minute)
	send(id, proof).want(422, "4201")             // ended
	send(p.captcha(), captchaText).want(202, "0") // pictures stay
}

func TestWork_alone_is_not_enough_where_pictures_are_asked(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.person().post("/v1/captchas", body{"kind": "pow"}).want(422, "4103")
}

func TestWork_follows_the_price(t *testing.T) {
	t.Parallel()
	p := setup(t, askForWork(t)).person()
	for price, times := range map[challenge.Price]int{challenge.Normal: 1, challenge.Raised: 4, challenge.High: 16} {
		got := p.post("/v1/captchas", body{"kind": "pow", "price": price}).want(201, "0").challenge().Parameters.Data
		if got.Most != times*workMost || got.Price != price {
			t.Errorf("%s: got %+v", price, got)
		}
	}
}

// onlyLimit leaves one limit on.
func onlyLimit(name limits.Name, count int) func(*api.Server) {
	return func(s *api.Server) {
		s.Limits = limits.Set{name: {Name: name, Count: count, Period: time.Hour}}
	}
}

// sender asks for codes, each for a number of its own with one prefix.
type sender struct {
	*person
	sent int
}

func (s *sender) send(id, answer string) *reply {
	s.b.t.Helper()
	s.sent++
	return s.post("/v1/sms-codes", body{"mobile": "1380013" + strconv.Itoa(8000+s.sent), "purpose": "login", "captcha_id": id, "captcha": answer})
}

// TestCaptcha_costs_more_as_limits_fill: the fuller a limit of the client, of its network, or of all codes is, the higher is
// the price of a new captcha. That of an older one is still enough for a tenth more, and the refusal names the wanted one.
func TestCaptcha_costs_more_as_limits_fill(t *testing.T) {
	t.Parallel()
	for _, name := range []limits.Name{limits.SMSIPHour, limits.SMSIPHour.Net(), limits.SMSIPDay, limits.SMSTotal} {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			b := setup(t, onlyLimit(name, 20))
			p := &sender{person: b.person()}
			prices := func(used int, want string) {
				t.Helper()
				for p.sent < used {
					p.send(p.priced("high")).want(202, "0")
				}
				asked := p.post("/v1/captchas", body{}).want(201, "0")
				if beside := asked.Data["challenge"] != nil; beside != (want == "raised") {
					t.Errorf("%d of 20 used: a proof of work is asked: %t", used, beside)
				}
				kept := must(b.face.Captchas.Peek(t.Context(), asked.str("captcha_id")))(t)
				if string(kept.Price) != want {
					t.Errorf("%d of 20 used: got the price %s, want %s", used, kept.Price, want)
				}
			}
			refused := func(id, answer, want string) {
				t.Helper()
				got := p.send(id, answer).want(422, "4202")
				if p.sent--; got.Data["captcha_price"] != want {
					t.Errorf("the refusal asks for the price %v, want %s", got.Data["captcha_price"], want)
				}
			}
			prices(0, "normal")
			early := make([][2]string, 3) // of the normal price, made while all was quiet
			for i := range early {
				early[i][0], early[i][1] = p.priced("normal")
			}
			prices(9, "normal")
			prices(10, "raised")
			prices(11, "raised")
			p.send(early[0][0], early[0][1]).want(202, "0") // within the grace
			refused(early[1][0], early[1][1], "raised")     // 60 %
			raised, proof := p.priced("normal")
			prices(14, "raised")
			prices(15, "high")
			refused(early[2][0], early[2][1], "raised")
			prices(16, "high")
			p.send(raised, proof).want(202, "0") // within the grace
			prices(19, "high")
			p.send(p.priced("high")).want(202, "0") // a limit refuses nothing early
			p.send(p.priced("high")).want(429, "4206")
			if got := b.metric("usher_captcha_prices_total", "image", "raised"); got != 4 {
				t.Errorf("%v captchas of the raised price are counted, want 4", got)
			}
			if got := b.metric("usher_captchas_total", "cheap"); got != 2 {
				t.Errorf("%v captchas are counted as too cheap, want 2", got)
			}
		})
	}
}

func TestCaptcha_costs_more_as_the_budget_goes(t *testing.T) {
	t.Parallel()
	for _, name := range []limits.Name{limits.SMSBudgetDay, limits.SMSBudgetUnknown} {
		b := setup(t, onlyLimit(name, 20))
		p := &sender{person: b.person()}
		for used, want := range map[int]string{14: "normal", 15: "raised", 17: "raised", 18: "high", 19: "high"} {
			if err := b.client.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			for range used {
				p.send(p.priced("high")).want(202, "0")
			}
			id, _ := p.priced("normal")
			if kept := must(b.face.Captchas.Peek(t.Context(), id))(t); string(kept.Price) != want {
				t.Errorf("%s, %d of 20 used: got the price %s, want %s", name, used, kept.Price, want)
			}
		}
	}
}

// A picture beside a proof of work needs both.
func TestCaptcha_of_the_raised_price_needs_text_and_work(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := &sender{person: b.person()}
	asked := p.post("/v1/captchas", body{"price": "raised"}).want(201, "0")
	if got := asked.challenge().Parameters.Data.Most; asked.str("image") == "" || got != 4*workMost {
		t.Errorf("got %s", shorten(asked.text))
	}
	check := func(answer string, want bool) {
		t.Helper()
		if got := p.post("/v1/captchas/"+asked.str("captcha_id")+"/check", body{"answer": answer}).want(200, "0").Data["valid"]; got != want {
			t.Errorf("%.10q is right: %v", answer, got)
		}
	}
	check(captchaText, false)
	check(asked.solved(), true)
	p.send(asked.str("captcha_id"), asked.solved()).want(202, "0")
	for _, answer := range []string{"proof", "wrong proof", captchaText + " x"} {
		again := p.post("/v1/captchas", body{"price": "raised"}).want(201, "0")
		p.send(again.str("captcha_id"), strings.Replace(answer, "proof", prove(t, again.challenge()), 1)).want(422, "4202")
	}
}

// TestCaptcha_without_a_script_is_longer: a page without scripts cannot do the work of the raised price.
func TestCaptcha_without_a_script_is_longer(t *testing.T) {
	t.Parallel()
	b := setup(t, onlyLimit(limits.SMSTotal, 20))
	p := &sender{person: b.person()}
	for range 10 {
		p.send(p.priced("high")).want(202, "0")
	}
	before := b.metric("usher_captcha_prices_total", "image", "high")
	p.get("/register")
	if got := b.metric("usher_captcha_prices_total", "image", "high") - before; got != 1 {
		t.Errorf("the page has %v captchas of the high price, want 1", got)
	}
}

// The second half of a prefix is for those who pay more, and the last quarter for the high price: strangers with normal
// captchas cannot use it up.
func TestCaptcha_of_a_higher_price_gets_the_rest_of_a_prefix(t *testing.T) {
	t.Parallel()
	b := setup(t, onlyLimit(limits.SMSPrefix, 20))
	p := &sender{person: b.person()}
	for used := range 20 {
		wanted := []string{"raised", "high"}
		switch {
		case used < 10:
			wanted = nil
		case used < 15:
			wanted = wanted[:1]
		}
		price := "normal"
		for range wanted {
			want := wanted[len(wanted)-1]
			if got := p.send(p.priced(price)).want(422, "4202").Data["captcha_price"]; got != want {
				t.Errorf("%d used: the refusal of %s asks for %v, want %s", used, price, got, want)
			}
			price = "raised"
		}
		if len(wanted) > 0 {
			price = wanted[len(wanted)-1]
		}
		p.send(p.priced(price)).want(202, "0")
	}
	p.send(p.priced("high")).want(429, "4206")
}

// TestCaptcha_costs_more_where_codes_are_not_entered: the guard of a prefix asks for the high price from everybody but the
// owners of numbers on known networks, before it refuses.
func TestCaptcha_costs_more_where_codes_are_not_entered(t *testing.T) {
	t.Parallel()
	b := onRedis(t, func(s *api.Server, store *redisstore.Store) {
		guard := limits.Defaults()[limits.SMSConversion]
		s.Limits = limits.Set{limits.SMSConversion: guard}
		store.Rules.Set = s.Limits
	})
	owner := b.at("198.51.100.7")
	owner.signUp("owner", samePrefix(0))
	for i := 1; i < 15; i++ {
		b.at(ofNetwork(i)).send(samePrefix(i)).want(202, "0")
	}
	b.clock.Advance(11 * time.Minute)
	stranger := b.at("203.0.113.9")
	for _, mobile := range []string{samePrefix(0), samePrefix(500)} { // with and without an account
		if got := stranger.askFor(mobile, "normal").want(422, "4202").Data["captcha_price"]; got != "high" {
			t.Errorf("a stranger is asked for the price %v, want high", got)
		}
		stranger.askFor(mobile, "raised").want(422, "4202")
	}
	stranger.askFor(samePrefix(500), "high").want(202, "0")
	b.at(ofNetwork(99)).send(anyNumber(1)).want(202, "0") // of another prefix
	owner.askFor(samePrefix(0), "normal").want(202, "0")
}

// TestCaptcha_price_costs_no_round_trip: the price is read with what is spent, in the script that runs in any case.
func TestCaptcha_price_costs_no_round_trip(t *testing.T) {
	t.Parallel()
	b := onRedis(t, withBudget)
	count := &trips{}
	b.client.AddHook(count)
	for round := range 2 { // scripts are sent in full the first time
		before := count.n.Load()
		p := b.at(anyAddress(round))
		id, answer := p.priced("normal")
		asked := count.n.Load()
		p.post("/v1/sms-codes", body{"mobile": anyNumber(round), "purpose": "login", "captcha_id": id, "captcha": answer}).want(202, "0")
		if got := [2]int64{asked - before, count.n.Load() - asked}; round > 0 && got != [2]int64{2, 2} {
			t.Errorf("a captcha and a code took %v round trips, want 2 each", got)
		}
	}
}

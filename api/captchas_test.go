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
func prove(t *testing.T, c pow.Challenge) string {
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

func TestWork_of_a_high_price_is_sixteen_times_as_much(t *testing.T) {
	t.Parallel()
	p := setup(t, askForWork(t)).person()
	normal := p.post("/v1/captchas", body{"kind": "pow"}).want(201, "0").challenge().Parameters.Data
	high := p.post("/v1/captchas", body{"kind": "pow", "price": "high"}).want(201, "0").challenge().Parameters.Data
	if high.Most != 16*normal.Most || high.Price != challenge.High || normal.Price != challenge.Normal {
		t.Errorf("got %+v and %+v", normal, high)
	}
}

// The more of what all share is used up, the dearer is a captcha: with work beside it from a half on, of the high price
// from three quarters on.
func TestCaptcha_costs_more_under_pressure(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) {
		s.Limits = limits.Set{limits.SMSTotal: {Name: limits.SMSTotal, Count: 20, Period: time.Hour}}
	})
	p := b.person()
	sent := 0
	send := func(id, answer string) *reply {
		sent++
		return p.post("/v1/sms-codes", body{"mobile": "1380013" + strconv.Itoa(8000+sent), "purpose": "login", "captcha_id": id, "captcha": answer})
	}
	for range 10 {
		send(p.captcha(), captchaText).want(202, "0")
	}
	asked := p.post("/v1/captchas", body{}).want(201, "0")
	if asked.str("image") == "" || asked.challenge().Parameters.Data.Most != 4*20 {
		t.Errorf("half way: got %s", asked.text)
	}
	proof := prove(t, asked.challenge())
	if p.post("/v1/captchas/"+asked.str("captcha_id")+"/check", body{"answer": captchaText}).want(200, "0").Data["valid"] != false {
		t.Error("the picture alone is enough")
	}
	send(asked.str("captcha_id"), captchaText+" "+proof).want(202, "0")
	for _, answer := range []string{proof, "wrong " + proof, captchaText + " x"} {
		send(p.captcha(), answer).want(422, "4202")
	}
	for range 4 {
		asked := p.post("/v1/captchas", body{}).want(201, "0")
		send(asked.str("captcha_id"), captchaText+" "+prove(t, asked.challenge())).want(202, "0")
	}
	dear := p.post("/v1/captchas", body{}).want(201, "0")
	if dear.Data["challenge"] != nil {
		t.Errorf("three quarters: got %s", dear.text)
	}
	send(dear.str("captcha_id"), captchaText).want(202, "0")
	kept, _, err := redisstore.New(b.client, b.keys, b.clock.Now).Gate().Admit(t.Context(), p.captcha(), nil)
	if err != nil || kept.Price != challenge.High {
		t.Errorf("three quarters: kept %+v, %v", kept, err)
	}
}

// The last quarter of a prefix is for those who pay more: strangers with normal captchas cannot use it up.
func TestCaptcha_of_a_high_price_gets_the_rest_of_a_prefix(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) {
		s.Limits = limits.Set{limits.SMSPrefix: {Name: limits.SMSPrefix, Count: 20, Period: time.Hour}}
	})
	p := b.person()
	send := func(i int, price string) *reply {
		id := p.post("/v1/captchas", body{"price": price}).want(201, "0").str("captcha_id")
		mobile := "1380013" + strconv.Itoa(8000+i)
		return p.post("/v1/sms-codes", body{"mobile": mobile, "purpose": "login", "captcha_id": id, "captcha": captchaText})
	}
	for i := range 15 {
		send(i, "normal").want(202, "0")
	}
	for i := 15; i < 20; i++ {
		if got := send(i, "normal").want(422, "4202").Data["captcha_price"]; got != "high" {
			t.Errorf("the refusal asks for the price %v", got)
		}
		send(i, "high").want(202, "0")
	}
	send(20, "high").want(429, "4206")
}

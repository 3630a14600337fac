package api_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/api"
	"usher/apps"
	"usher/contact"
	"usher/internal/testkit"
	"usher/limits"
	"usher/messages"
	"usher/store/redisstore"
	"usher/store/sqlstore"
	"usher/tokens"
	"usher/verify"
)

const (
	verifications = "/v1/verifications"
	appNonce      = "session-of-a-user"
)

// newApp stores an app and returns it with its key.
func (b *bundle) newApp(t *testing.T, own apps.Limits, scopes ...apps.Scope) (apps.App, string) {
	t.Helper()
	app := must(apps.New("Shop & Söhne", scopes, own, b.clock.Now()))(t)
	key, text := apps.NewKey(app.ID, b.clock.Now())
	if err := sqlstore.NewApps(b.db).Create(t.Context(), app, key); err != nil {
		t.Fatal(err)
	}
	return app, text
}

// appClient returns a program with an app's key.
func (b *bundle) appClient(key string) *person {
	p := b.person()
	p.client.Jar = nil
	p.header = http.Header{"Authorization": {"Bearer " + key}, "Accept-Language": {"en"}}
	return p
}

// shop returns a program of a new app with all scopes.
func (b *bundle) shop(t *testing.T) *person {
	t.Helper()
	_, key := b.newApp(t, apps.Limits{}, apps.Scopes()...)
	return b.appClient(key)
}

// startOf is the body that sends a code to a number.
func startOf(to string) body {
	return body{"channel": "sms", "to": to, "purpose": "sign_up", "ip": "203.0.113.7", "nonce": appNonce}
}

// codes are those that workers claim.
func (b *bundle) codes() *redisstore.Codes {
	return redisstore.New(b.client, b.keys, b.clock.Now).Codes()
}

// digits returns the code that was queued last.
func (b *bundle) digits(t *testing.T) string {
	t.Helper()
	b.sms.mu.Lock()
	defer b.sms.mu.Unlock()
	return must(b.keys.Code(b.sms.codes[len(b.sms.codes)-1].Derivation()))(t)
}

// approved has a code sent to a number, enters it and returns the id and the proof.
func (p *person) approved(t *testing.T, to string) (id, proof string) {
	t.Helper()
	id = p.post(verifications, startOf(to)).want(201, "0").str("id")
	return id, p.post(verifications+"/"+id+"/check", body{"code": p.b.digits(t)}).want(200, "0").str("proof")
}

func TestVerifications_prove_a_number_once(t *testing.T) {
	t.Parallel()
	b := setup(t, withTokens(t))
	p := b.shop(t)
	started := p.post(verifications, startOf(number)).want(201, "0")
	id := started.str("id")
	if started.header.Get("Location") != verifications+"/"+id || started.str("to") != "138****8000" {
		t.Errorf("started: Location %q, to %q", started.header.Get("Location"), started.str("to"))
	}
	path := verifications + "/" + id
	if got := p.get(path).want(200, "0"); got.str("status") != "queued" || got.str("purpose") != "sign_up" || got.Data["attempts_left"] != 5. {
		t.Errorf("status: %v", got.Data)
	}
	right := b.digits(t)
	if got := p.post(path+"/check", body{"code": wrongFor(right)}).want(200, "0"); got.Data["approved"] != false || got.Data["attempts_left"] != 4. || got.Data["proof"] != nil {
		t.Errorf("wrong code: %v", got.Data)
	}
	if got := p.post(path+"/check", body{"code": "abc"}).want(200, "0"); got.Data["approved"] != false || got.Data["attempts_left"] != 4. {
		t.Errorf("no code: %v", got.Data)
	}
	checked := p.post(path+"/check", body{"code": right}).want(200, "0")
	proof := checked.str("proof")
	if checked.Data["approved"] != true {
		t.Errorf("right code: %v", checked.Data)
	}
	p.post(path+"/check", body{"code": right}).want(422, "4203")
	if got := p.get(path).want(200, "0"); got.str("status") != "used" || got.str("approved_at") == "" {
		t.Errorf("status: %v", got.Data)
	}
	got := p.post(path+"/redeem", body{"proof": proof, "nonce": appNonce}).want(200, "0")
	if got.str("phone_number") != "+86"+number || got.str("purpose") != "sign_up" || got.str("id") != id {
		t.Errorf("redeemed: %v", got.Data)
	}
	p.post(path+"/redeem", body{"proof": proof, "nonce": appNonce}).want(409, "4411")
	b.redis.FlushAll() // Redis is restored from an older state
	p.post(path+"/redeem", body{"proof": proof, "nonce": appNonce}).want(409, "4411")

	key := strings.TrimPrefix(p.header.Get("Authorization"), "Bearer ")
	if found := testkit.FindSecrets([]byte(b.logs.String()+b.redis.Dump()), key, proof, right, number); found != nil {
		t.Errorf("logs or Redis show %v", found)
	}
}

func TestVerifications_prove_an_address(t *testing.T) {
	t.Parallel()
	b := setup(t, withTokens(t))
	p := b.shop(t)
	id := p.post(verifications, body{"channel": "email", "to": address, "purpose": "newsletter"}).want(201, "0").str("id")
	if queued := b.sms.codes[0]; queued.AppName != "Shop & Söhne" || queued.Language != "en" {
		t.Errorf("queued for app %q in language %q", queued.AppName, queued.Language)
	}
	checked := p.post(verifications+"/"+id+"/check", body{"code": b.digits(t)}).want(200, "0")
	got := p.post(verifications+"/"+id+"/redeem", body{"proof": checked.str("proof")}).want(200, "0")
	if got.str("email") != address || got.str("channel") != "email" {
		t.Errorf("redeemed: %v", got.Data)
	}
}

func TestVerifications_never_open_an_account_of_ours(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	app, key := b.newApp(t, apps.Limits{}, apps.Scopes()...)
	p, stranger := b.appClient(key), b.person()
	start := startOf(number)
	start["purpose"] = "login"
	id := p.post(verifications, start).want(201, "0").str("id")
	code := b.digits(t)
	for _, purpose := range []string{"login", "register"} {
		check := body{"mobile": number, "code": code, "purpose": purpose, "sms_code_id": id}
		stranger.post("/v1/sms-codes/check", check).want(422, "4203")
	}
	for _, purpose := range []string{app.ID + ":login", ":", "app_aaaaaaaaaa:x"} {
		stranger.post("/v1/sms-codes/check", body{"mobile": number, "code": code, "purpose": purpose, "sms_code_id": id}).want(422, "4103")
		stranger.post("/v1/sms-codes", body{"mobile": number, "purpose": purpose, "captcha_id": stranger.captcha(), "captcha": captchaText}).want(422, "4103")
	}
	stranger.post("/v1/sessions", body{"mobile": number, "sms_code_id": id, "sms_code": code}).want(422, "4203")
	stranger.get("/v1/sms-codes/"+id).want(404, "4002")
	stranger.post("/v1/sms-codes/"+id+"/resend", body{"via": "sms"}).want(404, "4002")

	b.clock.Advance(time.Minute)
	ours := stranger.send(number).str("sms_code_id")
	p.get(verifications+"/"+ours).want(404, "4002")
	p.post(verifications+"/"+ours+"/check", body{"code": b.digits(t)}).want(404, "4002")
	p.delete(verifications+"/"+ours).want(404, "4002")
}

func TestVerifications_belong_to_one_app(t *testing.T) {
	t.Parallel()
	b := setup(t, withTokens(t))
	p, other := b.shop(t), b.shop(t)
	id, proof := p.approved(t, number)
	path := verifications + "/" + id
	unknown := other.get(verifications+"/"+strings.Repeat("A", 44)).want(404, "4002")
	if foreign := other.get(path).want(404, "4002"); foreign.Errmsg != unknown.Errmsg {
		t.Errorf("another app's: %q, an unknown one: %q", foreign.Errmsg, unknown.Errmsg)
	}
	other.post(path+"/check", body{"code": "123456"}).want(404, "4002")
	other.delete(path).want(404, "4002")
	other.post(path+"/redeem", body{"proof": proof, "nonce": appNonce}).want(422, "4413")
	p.post(path+"/redeem", body{"proof": proof, "nonce": appNonce}).want(200, "0")
}

func TestVerifications_end_the_code_before_them(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p, other := b.shop(t), b.shop(t)
	first := p.post(verifications, startOf(number)).want(201, "0").str("id")
	firstCode := b.digits(t)
	p.post(verifications, startOf(number)).want(429, "4206")
	b.clock.Advance(time.Minute)
	otherID := other.post(verifications, startOf(number)).want(201, "0").str("id")
	otherCode := b.digits(t)
	b.clock.Advance(time.Minute)
	second := p.post(verifications, startOf(number)).want(201, "0").str("id")
	secondCode := b.digits(t)
	p.post(verifications+"/"+first+"/check", body{"code": firstCode}).want(422, "4203")
	for _, one := range []struct {
		p        *person
		id, code string
	}{{p, second, secondCode}, {other, otherID, otherCode}} {
		if got := one.p.post(verifications+"/"+one.id+"/check", body{"code": one.code}).want(200, "0"); got.Data["approved"] != true || got.Data["proof"] != nil {
			t.Errorf("check: %v", got.Data)
		}
	}
}

func TestVerifications_are_canceled(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.shop(t)
	id := p.post(verifications, startOf(number)).want(201, "0").str("id")
	code := b.digits(t)
	for range 2 {
		if got := p.delete(verifications+"/"+id).want(200, "0"); got.str("status") != "canceled" {
			t.Errorf("status %q", got.str("status"))
		}
	}
	p.post(verifications+"/"+id+"/check", body{"code": code}).want(422, "4203")
	if got := p.get(verifications+"/"+id).want(200, "0"); got.str("status") != "canceled" {
		t.Errorf("status %q", got.str("status"))
	}
	used, _ := p.started(t, nextNumber)
	if got := p.delete(verifications+"/"+used).want(200, "0"); got.str("status") != "used" {
		t.Errorf("status of a used one: %q", got.str("status"))
	}
}

// started has a code sent to a number and enters it.
func (p *person) started(t *testing.T, to string) (id, code string) {
	t.Helper()
	id = p.post(verifications, startOf(to)).want(201, "0").str("id")
	code = p.b.digits(t)
	p.post(verifications+"/"+id+"/check", body{"code": code}).want(200, "0")
	return id, code
}

func TestVerifications_are_repeated_by_their_key(t *testing.T) {
	t.Parallel()
	b := setup(t, withTokens(t))
	p, other := b.shop(t), b.shop(t)
	p.header.Set("Idempotency-Key", "the-same-key")
	other.header.Set("Idempotency-Key", "the-same-key")
	first := p.post(verifications, startOf(number)).want(201, "0")
	again := p.post(verifications, startOf(number)).want(201, "0")
	if again.str("id") != first.str("id") || again.header.Get("Location") != first.header.Get("Location") || len(b.sms.codes) != 1 {
		t.Errorf("first %v at %q, again %v at %q; %d codes", first.Data, first.header.Get("Location"), again.Data, again.header.Get("Location"), len(b.sms.codes))
	}
	p.post(verifications, startOf(nextNumber)).want(422, "4103")
	if got := other.post(verifications, startOf(nextNumber)).want(201, "0"); got.str("id") == first.str("id") {
		t.Error("the other app got the answer of the first")
	}
	path := verifications + "/" + first.str("id")
	code := must(b.keys.Code(b.sms.codes[0].Derivation()))(t)
	proof := p.post(path+"/check", body{"code": code}).want(200, "0").str("proof")
	if again := p.post(path+"/check", body{"code": code}).want(200, "0").str("proof"); again != proof {
		t.Error("a repeated check has another proof")
	}
	for range 2 {
		p.post(path+"/redeem", body{"proof": proof, "nonce": appNonce}).want(200, "0")
	}
	if found := testkit.FindSecrets([]byte(b.redis.Dump()), proof, code); found != nil {
		t.Errorf("Redis has the kept answer in clear: %v", found)
	}
}

func TestVerifications_redeem_a_proof_once_of_fifty(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) { withTokens(t)(s); s.Limits = limits.Set{} })
	p := b.shop(t)
	id, proof := p.approved(t, number)
	var (
		calls sync.WaitGroup
		mu    sync.Mutex
		count = map[int]int{}
	)
	for range 50 {
		calls.Go(func() {
			got := p.post(verifications+"/"+id+"/redeem", body{"proof": proof, "nonce": appNonce})
			mu.Lock()
			defer mu.Unlock()
			count[got.status]++
		})
	}
	calls.Wait()
	if !maps.Equal(count, map[int]int{200: 1, 409: 49}) {
		t.Errorf("answers by status: %v", count)
	}
}

func TestVerifications_refuse_bad_keys(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	app, key := b.newApp(t, apps.Limits{}, apps.VerifyCheck)
	revoked, revokedKey := b.newApp(t, apps.Limits{}, apps.Scopes()...)
	if _, err := sqlstore.NewApps(b.db).Revoke(t.Context(), revoked.ID, b.clock.Now()); err != nil {
		t.Fatal(err)
	}
	_, unknown := apps.NewKey(app.ID, b.clock.Now())
	with := func(values ...string) http.Header { return http.Header{"Authorization": values} }
	texts := map[string]bool{}
	for name, test := range map[string]struct {
		header http.Header
		status int
		errno  string
	}{
		"none":             {nil, 401, "4401"},
		"empty":            {with("Bearer "), 401, "4401"},
		"another scheme":   {with("Basic " + key), 401, "4401"},
		"two headers":      {with("Bearer "+key, "Bearer "+key), 401, "4401"},
		"behind a space":   {with("Bearer " + key + " x"), 401, "4401"},
		"wrong checksum":   {with("Bearer " + key[:51] + "!"), 401, "4401"},
		"of a session":     {with("Bearer usr" + key[3:]), 401, "4401"},
		"very long":        {with("Bearer " + strings.Repeat(key, 100)), 401, "4401"},
		"unknown":          {with("Bearer " + unknown), 401, "4401"},
		"revoked":          {with("Bearer " + revokedKey), 401, "4401"},
		"in a browser":     {http.Header{"Authorization": {"Bearer " + key}, "Origin": {"https://app.example.com"}}, 403, "4402"},
		"of our own pages": {http.Header{"Authorization": {"Bearer " + key}, "Origin": {"http://localhost:8080"}}, 403, "4402"},
		"of a local file":  {http.Header{"Authorization": {"Bearer " + key}, "Origin": {"null"}}, 403, "4402"},
		"without scope":    {with("Bearer " + key), 403, "4403"},
		"in lower case":    {with("bearer  " + key), 403, "4403"},
	} {
		p := b.person()
		p.header = test.header
		got := p.post(verifications, startOf(number)).want(test.status, test.errno)
		if test.status == 401 {
			texts[got.Errmsg] = true
		}
		if got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: a browser may read the answer", name)
		}
	}
	if len(texts) != 1 {
		t.Errorf("the refusals differ: %v", texts)
	}
	logs := b.logs.String()
	if found := testkit.FindSecrets([]byte(logs), key, revokedKey, unknown); found != nil {
		t.Errorf("the log shows keys: %v", found)
	}
	keyID, _ := apps.KeyID(revokedKey)
	if n := strings.Count(logs, `"key_id":"`+keyID+`"`); n != 1 {
		t.Errorf("%d lines about the revoked key in %s", n, logs)
	}
	for reason, want := range map[string]string{"key": "10", "origin": "3", "scope": "2"} {
		testkit.WantMetric(t, b.metrics, `usher_app_refused_total{reason="`+reason+`"} `+want)
	}
	if len(b.sms.codes) > 0 {
		t.Error("a code was sent")
	}
}

func TestVerifications_limit_the_look_ups_of_invented_keys(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) {
		s.Limits = must(limits.Defaults().Parse("app_key_ip=3/5m"))(t)
	})
	valid := b.shop(t)
	valid.get(verifications+"/x").want(404, "4002")
	for i := range 5 {
		_, invented := apps.NewKey("app_aaaaaaaaaa", b.clock.Now())
		status, errno := 401, "4401"
		if i >= 3 {
			status, errno = 429, "4206"
		}
		b.appClient(invented).get(verifications+"/x").want(status, errno)
	}
	valid.get(verifications+"/x").want(404, "4002") // it was looked up a moment ago
}

func TestVerifications_keep_the_limits_of_an_app(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) {
		s.Config.Regions, s.Config.SMSUnits = must(contact.NewRegions([]string{"CN", "HK", "MO"}))(t), map[string]int{"CN": 1, "HK": 4}
		s.Config.SMSUnitYuan = 0.05
	})
	_, key := b.newApp(t, apps.Limits{BudgetYuan: 0.25, Regions: []string{"CN", "HK"}}, apps.Scopes()...)
	p := b.appClient(key)
	p.post(verifications, startOf("+853 6612 3456")).want(403, "4406")
	p.post(verifications, startOf("+852 5123 4567")).want(201, "0") // 4 of 5 units
	p.post(verifications, startOf("+852 5123 4568")).want(429, "4405")
	p.post(verifications, startOf(number)).want(201, "0")
	if got := p.post(verifications, startOf(nextNumber)).want(429, "4405"); got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	p.post(verifications, body{"channel": "email", "to": address, "purpose": "x"}).want(201, "0") // costs nothing
	b.clock.Advance(25 * time.Hour)
	p.post(verifications, startOf(nextNumber)).want(201, "0")

	_, key = b.newApp(t, apps.Limits{Rate: 2}, apps.Scopes()...)
	p = b.appClient(key)
	for range 2 {
		p.get(verifications+"/x").want(404, "4002")
	}
	if got := p.get(verifications+"/x").want(429, "4404"); got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	b.shop(t).get(verifications+"/x").want(404, "4002")
}

func TestVerifications_count_by_the_address_of_the_end_user(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) {
		s.Limits = must(limits.Defaults().Parse("sms_ip_hour=2/1h,sms_prefix=off,sms_conversion=off"))(t)
	})
	p := b.shop(t)
	numbers := func(i int) string { return "1380013" + strconv.Itoa(8000+i) }
	for i := range 3 {
		status, errno := 201, "0"
		if i == 2 {
			status, errno = 429, "4206"
		}
		p.post(verifications, startOf(numbers(i))).want(status, errno)
	}
	other := startOf(numbers(2))
	other["ip"] = "2001:db8::1"
	p.post(verifications, other).want(201, "0")
	for i := 3; i < 7; i++ { // the address of the app itself does not count
		start := startOf(numbers(i))
		delete(start, "ip")
		p.post(verifications, start).want(201, "0")
	}
}

func TestVerifications_refuse_bad_bodies(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) { s.Limits = limits.Set{} })
	p := b.shop(t)
	for name, test := range map[string]struct {
		change body
		status int
		field  string
	}{
		"channel missing":           {body{"channel": nil}, 422, "channel"},
		"unknown channel":           {body{"channel": "call"}, 422, "channel"},
		"number missing":            {body{"to": ""}, 422, "to"},
		"no number":                 {body{"to": "12345"}, 422, "to"},
		"address for sms":           {body{"to": address}, 422, "to"},
		"number for email":          {body{"channel": "email"}, 422, "to"},
		"purpose missing":           {body{"purpose": nil}, 422, "purpose"},
		"purpose with capitals":     {body{"purpose": "SignUp"}, 422, "purpose"},
		"purpose with a colon":      {body{"purpose": "a:b"}, 422, "purpose"},
		"purpose with a brace":      {body{"purpose": "a{b}"}, 422, "purpose"},
		"long purpose":              {body{"purpose": strings.Repeat("a", 33)}, 422, "purpose"},
		"ip is a network":           {body{"ip": "10.0.0.0/8"}, 422, "ip"},
		"ip with a zone":            {body{"ip": "fe80::1%eth0"}, 422, "ip"},
		"ip is a name":              {body{"ip": "localhost"}, 422, "ip"},
		"long nonce":                {body{"nonce": strings.Repeat("a", 129)}, 422, "nonce"},
		"nonce with a line break":   {body{"nonce": "a\nb"}, 422, "nonce"},
		"nonce outside ASCII":       {body{"nonce": "é"}, 422, "nonce"},
		"parameters for a template": {body{"template_params": map[string]any{"product": "x"}}, 400, "template_params"},
		"parameters as a text":      {body{"template_params": "x"}, 422, "template_params"},
		"unknown field":             {body{"template": "x"}, 400, ""},
		"nested field":              {body{"to": map[string]any{"value": number}}, 400, "to"},
	} {
		t.Run(name, func(t *testing.T) {
			start := startOf(number)
			maps.Copy(start, test.change)
			got := p.post(verifications, start).want(test.status, "4103")
			if _, ok := got.Fields[test.field]; !ok && test.field != "" {
				t.Errorf("fields %v, want %s", got.Fields, test.field)
			}
			if test.field == "template_params" && !strings.Contains(got.Fields[test.field], "not supported") {
				t.Errorf("words: %v", got.Fields)
			}
		})
	}
	p.post(verifications+"/x/check", body{}).want(422, "4103")
	p.post(verifications+"/x/redeem", body{"proof": "x"}).want(404, "4002") // no keys for tokens
	if len(b.sms.codes) > 0 {
		t.Error("a code was sent")
	}
}

func TestVerifications_refuse_bad_proofs(t *testing.T) {
	t.Parallel()
	b := setup(t, withTokens(t))
	app, key := b.newApp(t, apps.Limits{}, apps.Scopes()...)
	p := b.appClient(key)
	id, proof := p.approved(t, number)
	mobile := must(contact.ParseMobile(number))(t)
	sign := func(change func(*tokens.ProofClaims)) string {
		claims := tokens.ProofClaims{App: app.ID, Verification: id, Channel: messages.SMS, Purpose: "sign_up", Mobile: mobile, Nonce: appNonce}
		change(&claims)
		signed, _, err := b.face.Tokens.Proof(claims)
		return must(signed.Reveal(), err)(t)
	}
	session := must(b.face.Tokens.Session(tokens.SessionClaims{Audience: app.ID, Account: id}))(t).Reveal()
	entry := must(tokens.NewKey("t9"))(t)
	foreign := must(tokens.New(must(tokens.ParseKeys(entry.Reveal()))(t), b.face.Config.PublicURL.String(), b.clock.Now))(t)
	forged, _, err := foreign.Proof(tokens.ProofClaims{App: app.ID, Verification: id, Channel: messages.SMS, Purpose: "sign_up", Mobile: mobile, Nonce: appNonce})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		proof, nonce, errno string
		status              int
	}{
		"missing":                 {"", appNonce, "4103", 422},
		"no token":                {"proof", appNonce, "4412", 422},
		"changed":                 {proof[:len(proof)-4] + "AAAA", appNonce, "4412", 422},
		"of another key":          {forged.Reveal(), appNonce, "4412", 422},
		"large":                   {strings.Repeat("a", 4096), appNonce, "4412", 422},
		"larger":                  {strings.Repeat("a", 4097), appNonce, "4103", 400},
		"of another app":          {sign(func(c *tokens.ProofClaims) { c.App = "app_aaaaaaaaaa" }), appNonce, "4413", 422},
		"with another nonce":      {proof, "another", "4415", 422},
		"without its nonce":       {proof, "", "4415", 422},
		"of another verification": {sign(func(c *tokens.ProofClaims) { c.Verification = strings.Repeat("A", 44) }), appNonce, "4416", 422},
		"token of a session":      {session, appNonce, "4417", 422},
	} {
		t.Run(name, func(t *testing.T) {
			got := p.post(verifications+"/"+id+"/redeem", body{"proof": test.proof, "nonce": test.nonce})
			got.want(test.status, test.errno)
		})
	}
	b.clock.Advance(tokens.ProofTTL)
	p.post(verifications+"/"+id+"/redeem", body{"proof": proof, "nonce": appNonce}).want(422, "4414")
	if found := testkit.FindSecrets([]byte(b.logs.String()), proof, session); found != nil {
		t.Errorf("the log shows proofs: %v", found)
	}
}

func TestVerifications_give_up_after_five_wrong_codes(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.shop(t)
	id := p.post(verifications, startOf(number)).want(201, "0").str("id")
	right := b.digits(t)
	for left := 4.; left >= 0; left-- {
		if got := p.post(verifications+"/"+id+"/check", body{"code": wrongFor(right)}).want(200, "0"); got.Data["attempts_left"] != left {
			t.Errorf("attempts left %v, want %v", got.Data["attempts_left"], left)
		}
	}
	p.post(verifications+"/"+id+"/check", body{"code": right}).want(422, "4205")
}

func TestVerifications_cost_nothing_when_they_cannot_be_queued(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) { s.Config.SMSUnitYuan = 0.05 })
	_, key := b.newApp(t, apps.Limits{BudgetYuan: 0.05}, apps.Scopes()...)
	p := b.appClient(key)
	b.sms.refuse = verify.ErrQueue
	p.post(verifications, startOf(number)).want(503, "4301")
	b.sms.refuse = nil
	id := p.post(verifications, startOf(number)).want(201, "0").str("id")
	if got := p.post(verifications+"/"+id+"/check", body{"code": b.digits(t)}).want(200, "0"); got.Data["approved"] != true {
		t.Errorf("check: %v", got.Data)
	}
	p.post(verifications, startOf(nextNumber)).want(429, "4405")
}

// Claims and cancellations are scripts on one key, so that one of them comes first: the worker may send, or the code is canceled.
func TestVerifications_are_canceled_or_sent_when_both_happen_at_once(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) { s.Limits = limits.Set{} })
	p := b.shop(t)
	sent, dropped := 0, 0
	for i := range 20 {
		id := p.post(verifications, startOf("1390013"+strconv.Itoa(8000+i))).want(201, "0").str("id")
		var claimed error
		var calls sync.WaitGroup
		calls.Go(func() { _, claimed = b.codes().Claim(t.Context(), id, time.Second) })
		calls.Go(func() {
			if got := p.delete(verifications + "/" + id); got.status != 200 || got.Data["status"] != "canceled" {
				t.Errorf("cancel: %d %v", got.status, got.Data)
			}
		})
		calls.Wait()
		if claimed == nil {
			sent++
		} else {
			dropped++
		}
		if _, err := b.codes().Claim(t.Context(), id, time.Second); err == nil {
			t.Error("a canceled code is sent")
		}
	}
	t.Logf("%d claimed before, %d after the cancellation", sent, dropped)
}

func TestVerifications_answer_503_while_a_store_is_away(t *testing.T) {
	t.Parallel()
	b := setup(t, withTokens(t))
	p := b.shop(t)
	id, proof := p.approved(t, number)
	if err := b.db.Close(); err != nil {
		t.Fatal(err)
	}
	got := p.post(verifications+"/"+id+"/redeem", body{"proof": proof, "nonce": appNonce})
	if got.status < 500 {
		t.Errorf("redeemed without the database: %d", got.status)
	}
	b.redis.Close()
	p.get(verifications+"/"+id).want(503, "4301")
	var refusal struct{ Data map[string]any }
	if err := json.Unmarshal([]byte(got.text), &refusal); err != nil || len(refusal.Data) > 0 {
		t.Errorf("answer %s, %v", got.text, err)
	}
}

package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/api"
	"usher/contact"
	"usher/limits"
	"usher/store/redisstore"
)

const hongKong = "+85251234567"

// serving starts a face that serves these regions.
func serving(t *testing.T, codes ...string) *bundle {
	t.Helper()
	regions := must(contact.NewRegions(codes))(t)
	return setup(t, func(s *api.Server) {
		s.Config.Regions, s.Accounts.Policy.Regions = regions, regions
	})
}

func TestNumbers_of_every_served_region_register_and_sign_in(t *testing.T) {
	t.Parallel()
	b := serving(t, "CN", "HK")
	p := b.person()
	p.signUp("chan_tai_man", hongKong).want(201, "0")
	if sent := b.sms.all()[0].To; sent.Reveal() != hongKong || sent.String() != "+852****4567" {
		t.Errorf("the code went to %s of %q", sent, sent.Reveal())
	}
	if shown := p.get("/v1/sessions/current").want(200, "0").text; !strings.Contains(shown, `"+852****4567"`) {
		t.Errorf("the account is %s", shown)
	}
	for _, login := range []string{hongKong, "+852 5123 4567", "00852-5123-4567", "＋８５２ ５１２３ ４５６７"} {
		b.person().post("/v1/sessions", body{"login": login, "password": password}).want(201, "0")
	}
	b.clock.Advance(time.Minute)
	other := b.person()
	code := other.code("+852 5123-4567", "login")
	other.post("/v1/sessions", body{"mobile": "00852 51234567", "sms_code": code, "sms_code_id": b.codeID(hongKong)}).want(201, "0")
	for number, count := range map[string]int{"+85251234567": 1, "%2B852%205123%204567": 1, "+85251234568": 0} {
		if got := b.person().get("/v1/mobiles/"+number).want(200, "0").text; !strings.Contains(got, fmt.Sprintf(`"count":%d`, count)) {
			t.Errorf("%s: %s", number, got)
		}
	}
	b.wantNoSecrets(hongKong, "51234567")
}

func TestNumbers_without_a_country_code_belong_to_the_first_region(t *testing.T) {
	t.Parallel()
	b := serving(t, "HK", "CN")
	b.person().signUp("chan_tai_man", hongKong).want(201, "0")
	p := b.person()
	code := p.code("+86 13800138000", "register")
	p.post("/v1/registrations", body{
		"username": "li_lei", "password": password, "password_repeat": password, "agree": true,
		"mobile": "+86-138-0013-8000", "sms_code": code, "sms_code_id": b.codeID("13800138000"),
	}).want(201, "0")
	for _, login := range []string{"51234567", "+86 138 0013 8000", "li_lei"} {
		b.person().post("/v1/sessions", body{"login": login, "password": password}).want(201, "0")
	}
	if to := []string{b.sms.all()[0].To.Reveal(), b.sms.all()[1].To.Reveal()}; to[0] != hongKong || to[1] != "13800138000" {
		t.Errorf("codes went to %v", to)
	}
}

func TestNumbers_of_other_regions_are_refused_in_words_of_their_own(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		codes       []string
		number      string
		zh, english string
	}{
		"not served":               {nil, hongKong, "暂不支持这个国家或地区", "not supported"},
		"not served, of several":   {[]string{"CN", "MO"}, hongKong, "暂不支持这个国家或地区", "not supported"},
		"a fixed line":             {[]string{"CN", "HK"}, "+85221234567", "请填写正确的手机号", "Enter a mobile number."},
		"a mistyped mainland one":  {nil, "1380013800", "11 位中国大陆手机号", "11-digit mainland"},
		"nothing":                  {[]string{"CN", "HK"}, "", "请填写这一项", "fill in"},
		"without its country code": {[]string{"CN", "HK"}, "51234567", "请填写正确的手机号", "country code"},
	} {
		b := serving(t, test.codes...)
		for language, words := range map[string]string{"zh": test.zh, "en": test.english} {
			p := b.person()
			p.header = http.Header{"Accept-Language": {language}}
			r := p.send(test.number).want(422, "4103")
			if !strings.Contains(r.Fields["mobile"], words) {
				t.Errorf("%s: %s, want %q", name, r.text, words)
			}
			if test.number != "" && strings.Contains(r.text, test.number) {
				t.Errorf("%s: the answer quotes the number: %s", name, r.text)
			}
		}
		if len(b.sms.all()) > 0 {
			t.Errorf("%s: a code was sent", name)
		}
	}
}

// hongKongNumber returns one of ten thousand numbers that share a prefix.
func hongKongNumber(i int) string { return fmt.Sprintf("+8525123%04d", i) }

func TestLimits_by_prefix_and_the_guard_hold_for_every_region(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]limits.Limit{
		"prefix": {Name: limits.SMSPrefix, Count: 5, Period: 10 * time.Minute},
		"guard":  {Name: limits.SMSConversion, Count: 5, Period: 10 * time.Minute, Percent: 30, History: 24 * time.Hour},
	} {
		b := onRedis(t, func(s *api.Server, store *redisstore.Store) {
			only(t, limit)(s, store)
			s.Config.Regions = must(contact.NewRegions([]string{"CN", "HK"}))(t)
		})
		for i := range 5 {
			b.at(anyAddress(i)).ask(hongKongNumber(i)).want(202, "0")
		}
		b.at(anyAddress(5)).ask(hongKongNumber(5)).want(429, "4206")
		b.at(anyAddress(6)).ask("+85291234567").want(202, "0")
		b.at(anyAddress(7)).ask(samePrefix(1)).want(202, "0")
		if log := b.logs.String(); name == "guard" && !strings.Contains(log, `"prefix":"+8525123"`) {
			t.Error("the log does not name the prefix")
		}
		b.wantNoSecrets(hongKongNumber(5))
	}
}

func TestBudget_counts_what_a_code_to_each_region_costs(t *testing.T) {
	t.Parallel()
	budget := limits.Limit{Name: limits.SMSBudgetDay, Count: 10, Period: 24 * time.Hour}
	b := onRedis(t, func(s *api.Server, store *redisstore.Store) {
		only(t, budget)(s, store)
		s.Config.Regions, s.Config.SMSUnits = must(contact.NewRegions([]string{"CN", "HK"}))(t), map[string]int{"CN": 1, "HK": 7}
	})
	b.at(anyAddress(0)).ask(hongKongNumber(0)).want(202, "0")
	b.at(anyAddress(1)).ask(hongKongNumber(1)).want(429, "4206")
	for i := range 3 {
		b.at(anyAddress(2+i)).ask(samePrefix(i)).want(202, "0")
	}
	b.at(anyAddress(6)).ask(samePrefix(6)).want(429, "4206")
}

func TestPages_offer_a_choice_of_country_when_several_regions_are_served(t *testing.T) {
	t.Parallel()
	const choice = `name="calling_code"`
	for _, path := range []string{"/register", "/login?mode=code", "/forgot", "/undo"} {
		page := serving(t, "CN", "HK").person().get(path).wantPage(200, choice).text
		for _, want := range []string{
			`<option value="+86">中国大陆 &#43;86</option>`, `<option value="+852">中国香港 &#43;852</option>`, `autocomplete="tel"`,
		} {
			if !strings.Contains(page, strings.ReplaceAll(want, `value="+`, `value="&#43;`)) {
				t.Errorf("%s lacks %s", path, want)
			}
		}
		for _, codes := range [][]string{nil, {"CN"}, {"HK"}} {
			if strings.Contains(serving(t, codes...).person().get(path).text, choice) {
				t.Errorf("%s offers a choice of %v", path, codes)
			}
		}
	}
}

func TestForm_adds_the_chosen_country_code(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ country, number, to string }{
		"chosen":             {"+852", "5123 4567", hongKong},
		"typed as well":      {"+852", "+852 5123 4567", hongKong},
		"typed another":      {"+852", "+86 138 0013 8000", "13800138000"},
		"the first":          {"+86", "138 0013 8000", "13800138000"},
		"the first, typed":   {"+86", "8613800138000", "13800138000"},
		"none":               {"", "13800138000", "13800138000"},
		"one that is forged": {"+1", "13800138000", "13800138000"},
	} {
		b := serving(t, "CN", "HK")
		p := b.person()
		page := p.get("/register").wantPage(200, "captcha_id")
		form := url.Values{
			"username": {"chan_tai_man"}, "mobile": {test.number}, "calling_code": {test.country}, "agree": {"true"},
			"captcha_id": {page.captchaOf()}, "captcha": {captchaText}, "action": {"send_code"},
		}
		sent := p.submit("/register", form).wantPage(200, "value=\""+strings.ReplaceAll(test.number, "+", "&#43;")+"\"")
		if test.country == "+852" && !strings.Contains(sent.text, `<option value="&#43;852" selected>`) {
			t.Errorf("%s: the choice is lost", name)
		}
		if to := b.sms.all()[0].To.Reveal(); to != test.to {
			t.Errorf("%s: the code went to %s, want %s", name, to, test.to)
		}
		form.Set("action", "")
		form.Set("sms_code_id", sent.codeIDOf())
		form.Set("sms_code", b.lastCode())
		form.Set("password", password)
		form.Set("password_repeat", password)
		if got := p.submit("/register", form); got.status != 303 {
			t.Errorf("%s: registered with %d: %s", name, got.status, got.text)
		}
	}
}

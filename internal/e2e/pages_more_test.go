package e2e_test

import (
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"usher/internal/testclient"
)

// site is cmd/dev with a client of its API and its inbox.
type site struct {
	base         string
	pages, inbox string
	p            *testclient.Client
}

// crowded are limits for many people behind one address, who register at one moment. It has been signed in from, so that
// only its own wrong passwords, five, demand a captcha.
const crowded = "captcha_ip=off,sms_ip_hour=off,sms_net_hour=off,sms_prefix=off,register_ip=off,login_ip=off,login_addr=5/15m,reset_ip=off"

func openSite(t testing.TB, pause string) site { return openSiteWith(t, pause, nil) }

func openSiteWith(t testing.TB, pause string, environ map[string]string) site {
	t.Helper()
	settings := map[string]string{
		"USHER_LIMITS": crowded, "USHER_SMS_RESEND_INTERVAL": pause, "USHER_EMAIL_CODE_RESEND_INTERVAL": pause,
	}
	maps.Copy(settings, environ)
	pages, inbox := startDevWith(t, settings)
	return site{base: "http://localhost" + pages[strings.LastIndexByte(pages, ':'):], pages: pages, inbox: inbox}
}

// visit opens a tab in Chinese, for a person of its own.
func (s site) visit(t testing.TB, b *browser) (*browser, site) {
	t.Helper()
	s.p = testclient.New(t, s.pages, s.inbox)
	s.p.CaptchaAnswer = captchaAnswer
	tab := b.fresh(t)
	tab.do(t, chromedp.Navigate(s.base+"/login?lang=zh")) // is remembered
	return tab, s
}

const oldPassword, newPassword = "the first password", "another password"

// account registers a person with a number.
func (s site) account(t testing.TB, username, mobile string) {
	t.Helper()
	s.p.AskCode(mobile, "register")
	s.p.Must(http.StatusCreated, http.MethodPost, "/v1/registrations", map[string]any{
		"username": username, "mobile": mobile, "sms_code": s.p.ReadCode(mobile, 1),
		"password": oldPassword, "password_repeat": oldPassword, "agree": true,
	})
}

const sendCode = "button[value=send_code]"

// askCode fills in a number and the captcha and has a code sent.
func (b *browser) askCode(t testing.TB, mobile string) {
	t.Helper()
	b.do(t, chromedp.SendKeys(css("#mobile"), mobile), chromedp.SendKeys(css("#captcha"), captchaAnswer),
		chromedp.Click(css(sendCode)))
}

// askAgain asks for a code for a number that had one a moment ago: it is told to wait, and does.
func (b *browser) askAgain(t testing.TB, mobile string) {
	t.Helper()
	b.do(t, chromedp.SendKeys(css("#mobile"), mobile))
	const sent, refused = `document.activeElement.id === 'sms_code'`, `document.querySelector('[data-alert]').textContent !== ''`
	for !evaluate[bool](t, b, sent) {
		b.do(t, chromedp.WaitEnabled(css(sendCode)))
		b.await(t, `document.querySelector('[name=captcha_id]').value !== '' && document.getElementById('captcha').value === ''`)
		b.do(t, chromedp.SendKeys(css("#captcha"), captchaAnswer), chromedp.Click(css(sendCode)))
		b.await(t, sent+` || `+refused+` && document.getElementById('captcha').value === ''`)
	}
}

// says waits until a place of the page says something.
func (b *browser) says(t testing.TB, selector, text string) {
	t.Helper()
	b.await(t, `document.querySelector(`+strconv.Quote(selector)+`).textContent.includes(`+strconv.Quote(text)+`)`)
}

func evaluate[T any](t testing.TB, b *browser, expression string) T {
	t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return value
}

func TestPages_let_accounts_back_in(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	s := openSite(t, "1s")
	for name, test := range map[string]func(*testing.T, *browser, site){
		"a forgotten password is replaced": replacesPassword,
		"a code by SMS signs in":           signsInByCode,
		"a ticked box keeps the user name": remembersName,
	} {
		t.Run(name, func(t *testing.T) {
			tab, s := s.visit(t, b)
			test(t, tab, s)
		})
	}
}

// Failures count for the network that all browsers here share: they need a site of their own.
func TestPages_demand_a_captcha_after_failures(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	tab, s := openSite(t, "1s").visit(t, b)
	demandsCaptcha(t, tab, s)
}

func TestPages_help_along_the_way(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	s := openSite(t, "60s")
	for name, test := range map[string]func(*testing.T, *browser, site){
		"the countdown survives a reload":                   countsDownAfterReload,
		"a refused message points to email":                 pointsToEmail("13911990005", "运营商拒收"),
		"an undelivered message points to email":            pointsToEmail("13911990001", "运营商拒收"),
		"a delivered message is said to be":                 saysDelivered,
		"a captcha can be heard":                            speaksCaptcha,
		"a taken number is noticed on leaving it":           noticesTakenNumber,
		"too many requests are counted down":                countsDownLimit,
		"a refused registration by email renews the image":  renewsCaptcha,
		"a link from another browser asks for a password":   asksForPassword,
		"a mistyped address is corrected before activation": survivesReload,
		"keys alone register":                               registersByKeyboard,
		"the language stays chosen":                         keepsLanguage,
	} {
		t.Run(name, func(t *testing.T) {
			tab, s := s.visit(t, b)
			test(t, tab, s)
		})
	}
}

func replacesPassword(t *testing.T, b *browser, s site) {
	const username, mobile = "forgetful", "13911110001"
	s.account(t, username, mobile)
	b.do(t, chromedp.Navigate(s.base+"/login"), chromedp.Click(css(`a[href="/forgot"]`)),
		chromedp.WaitVisible(css("[data-flow=forgot]")))
	b.askAgain(t, mobile)
	b.do(t, chromedp.SendKeys(css("#sms_code"), s.p.ReadCode(mobile, 2)),
		chromedp.SendKeys(css("#password"), newPassword), chromedp.SendKeys(css("#password_repeat"), newPassword),
		chromedp.Click(css("button.main[data-submit]")), chromedp.WaitVisible(css("[data-done] h1")))
	if focused := evaluate[string](t, b, `document.activeElement.tagName`); focused != "H1" {
		t.Errorf("the focus is on %s, want it on the headline that says it is done", focused)
	}
	b.do(t, chromedp.Click(css("[data-done] a.main")), chromedp.WaitVisible(css("#login")),
		chromedp.SendKeys(css("#login"), mobile), chromedp.SendKeys(css("#password"), newPassword),
		chromedp.Click(css("button.main[value=password]")), chromedp.WaitVisible(css("dl")))
	s.p.Must(http.StatusUnauthorized, http.MethodPost, "/v1/sessions",
		map[string]any{"login": username, "password": oldPassword})
}

func signsInByCode(t *testing.T, b *browser, s site) {
	const username, mobile = "by_code", "13911110002"
	s.account(t, username, mobile)
	b.do(t, chromedp.Navigate(s.base+"/login"), chromedp.Click(css(`.tabs a[href="/login?mode=code"]`)),
		chromedp.WaitVisible(css("#sms_code")))
	b.askAgain(t, mobile)
	b.do(t, chromedp.KeyEvent(s.p.ReadCode(mobile, 2)+kb.Enter), chromedp.WaitVisible(css("dl")))
	if shown := b.text(t, "main"); !strings.Contains(shown, username) {
		t.Errorf("/account shows:\n%s", shown)
	}
}

func remembersName(t *testing.T, b *browser, s site) {
	const username, mobile = "remembered_1", "13911110004"
	s.account(t, username, mobile)
	b.do(t, chromedp.Navigate(s.base+"/login"), chromedp.SendKeys(css("#login"), username),
		chromedp.SendKeys(css("#password"), oldPassword), chromedp.Click(css("#remember")),
		chromedp.Click(css("button.main[value=password]")), chromedp.WaitVisible(css("dl")), chromedp.Navigate(s.base+"/login"))
	b.await(t, `document.getElementById('login').value === '`+username+`' && document.getElementById('remember').checked`)
	b.do(t, chromedp.Click(css("button[value=forget_name]")))
	b.await(t, `document.getElementById('login')?.value === '' && !document.querySelector('[value=forget_name]')`)
}

func demandsCaptcha(t *testing.T, b *browser, s site) {
	const username, mobile = "often_wrong", "13911110003"
	s.account(t, username, mobile)
	b.do(t, chromedp.Navigate(s.base+"/login"), chromedp.SendKeys(css("#login"), username),
		chromedp.SendKeys(css("#password"), newPassword))
	const answered = `!document.querySelector('[data-submit]').disabled && (document.querySelector('[data-alert]').textContent || document.getElementById('captcha-error').textContent) !== ''`
	for tries := 0; evaluate[bool](t, b, `document.querySelector('[data-demand]').hidden`); tries++ {
		if tries > 5 {
			t.Fatal("no captcha is demanded after six wrong passwords")
		}
		b.do(t, chromedp.Click(css("button.main[value=password]")))
		b.await(t, answered)
	}
	b.await(t, `document.querySelector('[data-captcha] img').naturalWidth > 0`)
	first := evaluate[string](t, b, `document.querySelector('[name=captcha_id]').value`)
	b.do(t, chromedp.SendKeys(css("#captcha"), "wrong"), chromedp.Click(css("button.main[value=password]")))
	b.says(t, "#captcha-error", "图形验证码错误")
	b.await(t, `document.querySelector('[name=captcha_id]').value !== `+strconv.Quote(first))
	b.do(t, chromedp.SendKeys(css("#captcha"), captchaAnswer),
		chromedp.Evaluate[chromedp.Void](`document.getElementById('password').select()`),
		chromedp.KeyEvent(oldPassword+kb.Enter), chromedp.WaitVisible(css("dl")))
}

// left reads the countdown on a button.
const left = `Number(document.querySelector('` + sendCode + `').textContent.match(/\d+/)?.[0] ?? 0)`

func countsDownAfterReload(t *testing.T, b *browser, s site) {
	b.do(t, chromedp.Navigate(s.base+"/register"))
	b.askCode(t, "13911110004")
	b.await(t, left+` > 0`)
	before := evaluate[int](t, b, left)
	b.do(t, chromedp.Reload())
	b.await(t, `document.querySelector('`+sendCode+`').disabled`)
	if after := evaluate[int](t, b, left); after > before || after < 1 {
		t.Errorf("the countdown stands at %d after a reload and at %d before", after, before)
	}
	b.says(t, "#code-status", "短信已") // sent or delivered: the message is followed on
}

// A person whose message does not arrive presses once more: the same code comes by another provider.
func TestPages_offer_a_second_way(t *testing.T) {
	t.Parallel()
	const mobile, again = "13911990001", "#code-status button[value=second_way]" // its ending makes the sandbox report it as undelivered
	b, s := openSite(t, "1s").visit(t, openBrowser(t))
	b.do(t, chromedp.Navigate(s.base+"/register"))
	b.askCode(t, mobile)
	b.says(t, "#code-status", "换个通道再发一次")
	b.await(t, `document.querySelector(`+strconv.Quote(again)+`).disabled === false`)
	code := s.p.ReadCode(mobile, 1)
	b.do(t, chromedp.Click(css(again)))
	b.says(t, "#code-status", "已换个通道重新发送")
	if second := s.p.ReadCode(mobile, 2); second != code {
		t.Errorf("the second message has the code %s, the first one %s", second, code)
	}
	b.do(t, chromedp.SendKeys(css("#sms_code"), code), chromedp.SendKeys(css("#username"), "patient"),
		chromedp.SendKeys(css("#password"), newPassword), chromedp.SendKeys(css("#password_repeat"), newPassword),
		chromedp.Click(css("#agree")), chromedp.Click(css("button.main[data-submit]")))
	b.await(t, `location.pathname === '/account'`)
}

// pointsToEmail is about numbers whose endings make the sandbox refuse the message, at once or later.
func pointsToEmail(mobile, sentence string) func(*testing.T, *browser, site) {
	return func(t *testing.T, b *browser, s site) {
		b.do(t, chromedp.Navigate(s.base+"/register"))
		b.askCode(t, mobile)
		b.says(t, "#code-status", sentence)
		b.do(t, chromedp.Click(css("#code-status a")), chromedp.WaitVisible(css("#email")))
		if numbers := evaluate[int](t, b, `document.querySelectorAll('#mobile').length`); numbers != 0 {
			t.Error("the form still asks for a number")
		}
	}
}

func saysDelivered(t *testing.T, b *browser, s site) {
	b.do(t, chromedp.Navigate(s.base+"/register"))
	b.askCode(t, "13911110005")
	b.says(t, "#code-status", "短信已送达")
}

func speaksCaptcha(t *testing.T, b *browser, s site) {
	const mobile = "13911110006"
	b.do(t, chromedp.Navigate(s.base+"/register?lang=en"), chromedp.Evaluate[chromedp.Void](`
		const play = HTMLMediaElement.prototype.play;
		HTMLMediaElement.prototype.play = function () {
			this.addEventListener('playing', () => { window.heard = this.duration; });
			return play.call(this);
		};`),
		chromedp.Click(css("[data-audio]")), chromedp.WaitVisible(css("[data-play]")))
	b.await(t, `window.heard > 2`)
	b.says(t, "label[for=captcha]", "hear")
	b.do(t, chromedp.Evaluate[chromedp.Void](`window.heard = 0`), chromedp.Click(css("[data-play]")))
	b.await(t, `window.heard > 2`)
	b.do(t, chromedp.SendKeys(css("#mobile"), mobile), chromedp.SendKeys(css("#captcha"), "wrong"+kb.Enter))
	b.says(t, "#captcha-error", "The captcha answer is incorrect")
	b.await(t, `!document.querySelector('[data-play]').hidden && document.getElementById('captcha').value === ''`)
	b.do(t, chromedp.SendKeys(css("#captcha"), captchaAnswer+kb.Enter))
	if code := s.p.ReadCode(mobile, 1); code == "" {
		t.Error("no code came after the answer to a recording")
	}
}

func noticesTakenNumber(t *testing.T, b *browser, s site) {
	const username, mobile = "was_here", "13911110007"
	s.account(t, username, mobile)
	b.do(t, chromedp.Navigate(s.base+"/register"), chromedp.SendKeys(css("#mobile"), "+86 139-1111-0007"+kb.Tab))
	b.says(t, "#mobile-error", "已经注册")
	b.do(t, chromedp.SendKeys(css("#username"), strings.ToUpper(username)+kb.Tab))
	b.says(t, "#username-error", "已被使用")
	b.do(t, chromedp.SendKeys(css("#username"), "2"+kb.Tab))
	b.says(t, "#username-hint", "可以使用")
}

func countsDownLimit(t *testing.T, b *browser, s site) {
	const mobile = "13911110008"
	s.p.AskCode(mobile, "register")
	b.do(t, chromedp.Navigate(s.base+"/register"))
	first := evaluate[string](t, b, `document.querySelector('[name=captcha_id]').value`)
	b.askCode(t, mobile)
	b.says(t, "[data-alert]", "过于频繁")
	b.await(t, left+` > 0 && document.querySelector('`+sendCode+`').disabled`)
	b.await(t, `document.querySelector('[name=captcha_id]').value !== `+strconv.Quote(first)+` && document.getElementById('captcha').value === ''`)
}

func renewsCaptcha(t *testing.T, b *browser, s site) {
	const email = "by.email@example.com"
	s.account(t, "name_of_other", "13911110009")
	b.do(t, chromedp.Navigate(s.base+"/register?mode=email"),
		chromedp.SendKeys(css("#username"), "name_of_other"), chromedp.SendKeys(css("#email"), email),
		chromedp.SendKeys(css("#captcha"), captchaAnswer), chromedp.SendKeys(css("#password"), newPassword),
		chromedp.SendKeys(css("#password_repeat"), newPassword), chromedp.Click(css("#agree")))
	first := evaluate[string](t, b, `document.querySelector('[name=captcha_id]').value`)
	b.do(t, chromedp.Click(css("button.main[value=register]")))
	b.await(t, `document.querySelector('[name=captcha_id]').value !== `+strconv.Quote(first))
	b.await(t, `document.getElementById('captcha').value === ''`)
	b.says(t, "#username-error", "已被使用")
	b.do(t, chromedp.SendKeys(css("#username"), "_too"), chromedp.SendKeys(css("#captcha"), captchaAnswer),
		chromedp.Click(css("button.main[value=register]")), chromedp.WaitVisible(css(".address")))
	if shown := b.text(t, ".address"); shown != email {
		t.Errorf("the page names %q as the address, want %q", shown, email)
	}
	b.do(t, chromedp.Navigate(s.base+"/activate?token="+s.p.ReadToken(email, 1)),
		chromedp.Click(css("button.main[value=activate]")), chromedp.WaitVisible(css("[data-done] h1")))
	b.do(t, chromedp.Navigate(s.base+"/activate?token=nonsense"), chromedp.Click(css("button.main[value=activate]")),
		chromedp.WaitVisible(css("#email")))
}

// asksForPassword opens the mail of a registration that this browser knows nothing of.
func asksForPassword(t *testing.T, b *browser, s site) {
	const email = "elsewhere@example.com"
	s.p.Must(http.StatusCreated, http.MethodPost, "/v1/registrations", s.p.Captcha(map[string]any{
		"username": "from_elsewhere", "email": email, "password": oldPassword, "password_repeat": oldPassword, "agree": true,
	}))
	b.do(t, chromedp.Navigate(s.base+"/activate?token="+s.p.ReadToken(email, 1)), chromedp.Click(css("button.main[value=activate]")),
		chromedp.WaitVisible(css("#password_repeat")))
	b.says(t, "#password-error", "")
	b.do(t, chromedp.SendKeys(css("#password"), newPassword), chromedp.SendKeys(css("#password_repeat"), newPassword),
		chromedp.Click(css("button.main[value=activate]")), chromedp.WaitVisible(css("[data-done] h1")),
		chromedp.Navigate(s.base+"/account"), chromedp.WaitVisible(css(".sessions")))
	s.p.Must(http.StatusUnauthorized, http.MethodPost, "/v1/sessions", map[string]any{"login": email, "password": oldPassword})
	s.p.Must(http.StatusCreated, http.MethodPost, "/v1/sessions", map[string]any{"login": email, "password": newPassword})
}

func registersByKeyboard(t *testing.T, b *browser, s site) {
	const username, mobile = "no_mouse", "13911110010"
	b.do(t, chromedp.Navigate(s.base+"/register"))
	at := func(want string) {
		t.Helper()
		b.await(t, `document.activeElement.matches(`+strconv.Quote(want)+`)`)
	}
	press := func(keys string) {
		t.Helper()
		b.do(t, chromedp.KeyEvent(keys))
	}
	press(kb.Tab)
	at(".skip")
	press(kb.Enter)
	at("main")
	press(kb.Tab + kb.Tab + kb.Tab)
	at("#username")
	press(username + kb.Tab)
	at("#mobile")
	press(mobile + kb.Tab)
	at("#captcha")
	press(kb.Tab)
	at("[data-audio]")
	press(kb.Tab)
	at("[value=captcha]")
	b.do(t, chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)), chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)))
	at("#captcha")
	press(captchaAnswer + kb.Enter) // asks for the code, and does not send the form
	at("#sms_code")
	press(s.p.ReadCode(mobile, 1) + kb.Tab)
	at("#email") // the button counts down: nothing to do there
	press(kb.Tab)
	at("#password")
	press(newPassword + kb.Tab)
	at("[data-peek]")
	press(kb.Tab)
	at("#password_repeat")
	press(newPassword + kb.Tab)
	at("#agree")
	press(" " + kb.Enter)
	b.do(t, chromedp.WaitVisible(css("dl")))
}

func keepsLanguage(t *testing.T, b *browser, s site) {
	b.do(t, chromedp.Navigate(s.base+"/register?mode=email"), chromedp.Click(css(".top a[hreflang]")))
	b.await(t, `document.documentElement.lang === 'en' && !!document.getElementById('email')`)
	b.do(t, chromedp.Navigate(s.base+"/login"))
	if lang, title := evaluate[string](t, b, `document.documentElement.lang`), evaluate[string](t, b, `document.title`); lang != "en" || !strings.HasPrefix(title, "Sign in") {
		t.Errorf("the next page is in %q and titled %q, want English", lang, title)
	}
	b.do(t, chromedp.SendKeys(css("#login"), "nobody_here"), chromedp.SendKeys(css("#password"), newPassword+kb.Enter))
	b.says(t, "[data-alert]", "The account or password is incorrect")
}

// survivesReload registers with a mistyped address, loads the page again, has the mail sent again by signing in, and corrects
// the address.
func survivesReload(t *testing.T, b *browser, s site) {
	const username, mistyped, email = "mistyper", "mistyped@example.con", "mistyped@example.com"
	b.do(t, chromedp.Navigate(s.base+"/register?mode=email"),
		chromedp.SendKeys(css("#username"), username), chromedp.SendKeys(css("#email"), mistyped),
		chromedp.SendKeys(css("#captcha"), captchaAnswer), chromedp.SendKeys(css("#password"), newPassword),
		chromedp.SendKeys(css("#password_repeat"), newPassword), chromedp.Click(css("#agree")),
		chromedp.Click(css("button.main[value=register]")), chromedp.WaitVisible(css(".address")),
		chromedp.Reload(), chromedp.WaitVisible(css(".address")))
	if shown, url := b.text(t, ".address"), evaluate[string](t, b, `location.href`); shown != mistyped || url != s.base+"/check-mail" {
		t.Errorf("after a reload %s names %q as the address, want %q", url, shown, mistyped)
	}
	old := s.p.ReadToken(mistyped, 1)

	b.do(t, chromedp.Navigate(s.base+"/login"), chromedp.SendKeys(css("#login"), username),
		chromedp.SendKeys(css("#password"), newPassword+kb.Enter), chromedp.WaitVisible(css("[data-waiting]")),
		chromedp.Click(css("[data-waiting] [data-submit]")))
	b.says(t, "[data-waiting] [data-said]", "激活邮件已重新发送")

	b.do(t, chromedp.Click(css(`a[href^="/check-mail?mode=correct"]`)), chromedp.WaitVisible(css("#email")),
		chromedp.SendKeys(css("#email"), email), chromedp.SendKeys(css("#captcha"), captchaAnswer+kb.Enter))
	b.await(t, `location.search === '' && document.querySelector('.address')?.textContent === `+strconv.Quote(email))
	b.do(t, chromedp.Navigate(s.base+"/activate?token="+old), chromedp.Click(css("button.main[value=activate]")))
	b.says(t, "[data-alert]", "激活链接无效")
	b.do(t, chromedp.Navigate(s.base+"/activate?token="+s.p.ReadToken(email, 1)), chromedp.Click(css("button.main[value=activate]")),
		chromedp.WaitVisible(css("[data-done] h1")), chromedp.Navigate(s.base+"/account"), chromedp.WaitVisible(css("dl")))
}

package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"usher/internal/testkit"
)

func TestPages_know_people_by_a_code_in_a_mail(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	s := openSite(t, resendInterval.String())
	for name, test := range map[string]func(*testing.T, *browser, site){
		"a code proves the address of a registration": registersByMailCode,
		"without scripts":                  usesMailCodesWithoutScripts,
		"the button of the mail is enough": usesMailButtons,
		"a change of the address":          changesEmailByCode,
	} {
		t.Run(name, func(t *testing.T) {
			tab, s := s.visit(t, b)
			test(t, tab, s)
		})
	}
}

// pauseIsOver waits until the address that got the tab's last mail may get another one.
func (b *browser) pauseIsOver(t *testing.T) {
	t.Helper()
	testkit.Eventually(t, testkit.Patience, func() bool { return time.Since(b.mailed) > resendInterval }, "the address may get another mail")
}

// askMailCode types an address and the captcha, has a code sent and returns it; nth counts the mails to the address.
func (b *browser) askMailCode(t *testing.T, s site, field, email string, nth int) string {
	t.Helper()
	b.pauseIsOver(t)
	defer func() { b.mailed = time.Now() }()
	b.await(t, `document.querySelector('[name=captcha_id]').value !== ''`)
	b.do(t, chromedp.SendKeys(css(field), email), chromedp.SendKeys(css("#captcha"), captchaAnswer), chromedp.Click(css(sendCode)))
	return s.p.ReadCode(email, nth)
}

func (b *browser) chooses(t *testing.T, password string) {
	t.Helper()
	b.do(t, chromedp.SendKeys(css("#password"), password), chromedp.SendKeys(css("#password_repeat"), password))
}

func registersByMailCode(t *testing.T, b *browser, s site) {
	const username, email = "by_mail_code", "by.mail.code@example.com"
	b.do(t, chromedp.Navigate(s.base+"/register?mode=email"), chromedp.SendKeys(css("#username"), username))
	code := b.askMailCode(t, s, "#email", email, 1)
	b.await(t, `document.activeElement.id === 'email_code'`)
	b.do(t, chromedp.SendKeys(css("#email_code"), code))
	b.chooses(t, oldPassword)
	b.do(t, chromedp.Click(css("#agree")), chromedp.Click(css("button.main[value=register]")), chromedp.WaitVisible(css("dl")))
	if badges := b.text(t, "dl"); !strings.Contains(badges, "已验证") {
		t.Errorf("the account shows no proved address: %s", badges)
	}

	b.do(t, chromedp.Click(css("[data-flow=logout] [data-submit]")), chromedp.WaitVisible(css("#login")), chromedp.Navigate(s.base+"/login?mode=code"))
	code = b.askMailCode(t, s, "#mobile", email, 2)
	b.await(t, `document.activeElement.id === 'sms_code'`)
	b.do(t, chromedp.SendKeys(css("#sms_code"), code+kb.Enter), chromedp.WaitVisible(css("dl")))

	b.do(t, chromedp.Navigate(s.base+"/forgot"))
	code = b.askMailCode(t, s, "#mobile", email, 3)
	b.await(t, `document.activeElement.id === 'sms_code'`)
	b.do(t, chromedp.SendKeys(css("#sms_code"), code))
	b.chooses(t, newPassword)
	b.do(t, chromedp.Click(css("button.main[data-submit]")), chromedp.WaitVisible(css("[data-done] h1")))
	s.p.Must(http.StatusCreated, http.MethodPost, "/v1/sessions", map[string]any{"login": email, "password": newPassword})
}

func usesMailCodesWithoutScripts(t *testing.T, b *browser, s site) {
	const username, email = "mail_no_script", "mail.no.script@example.com"
	b.do(t, withoutScripts(), chromedp.Navigate(s.base+"/register?mode=email"), chromedp.SendKeys(css("#username"), username))
	code := b.askMailCode(t, s, "#email", email, 1)
	b.says(t, "#code-status", "请查收邮件")
	b.do(t, chromedp.SendKeys(css("#email_code"), code))
	b.chooses(t, oldPassword)
	b.do(t, chromedp.Click(css("#agree")), chromedp.Click(css("button.main[value=register]")), chromedp.WaitVisible(css("dl")),
		chromedp.Navigate(s.base+"/login?mode=code"))
	b.askMailCode(t, s, "#mobile", email, 2)
	b.says(t, "#code-status", "请查收邮件")
	b.do(t, chromedp.SendKeys(css("#sms_code"), "000000"), chromedp.Click(css("button.main[value=code]")))
	b.says(t, "#sms_code-error", "验证码错误")
	b.do(t, chromedp.Navigate(s.base+"/code?token="+s.p.ReadToken(email, 2)), chromedp.Click(css("button.main[value=login]")),
		chromedp.WaitVisible(css("dl")), chromedp.Navigate(s.base+"/forgot"))
	b.askMailCode(t, s, "#mobile", email, 3)
	b.do(t, chromedp.Navigate(s.base+"/code?token="+s.p.ReadToken(email, 3)))
	b.chooses(t, newPassword)
	b.do(t, chromedp.Click(css("button.main[value=reset_password]")), chromedp.WaitVisible(css("[data-done] h1")))
	s.p.Must(http.StatusCreated, http.MethodPost, "/v1/sessions", map[string]any{"login": email, "password": newPassword})
}

func usesMailButtons(t *testing.T, b *browser, s site) {
	const username, email = "mail_button", "mail.button@example.com"
	ask := func(purpose string, nth int) string {
		b.pauseIsOver(t)
		defer func() { b.mailed = time.Now() }()
		s.p.Must(http.StatusAccepted, http.MethodPost, "/v1/email-codes", s.p.Captcha(map[string]any{"email": email, "purpose": purpose}))
		return s.base + "/code?token=" + s.p.ReadToken(email, nth)
	}
	link := ask("register", 1)
	for range 2 { // to open it uses nothing up
		b.do(t, chromedp.Navigate(link), chromedp.WaitVisible(css("#username")))
	}
	b.do(t, chromedp.SendKeys(css("#username"), username))
	b.chooses(t, oldPassword)
	b.do(t, chromedp.Click(css("#agree")), chromedp.Click(css("button.main[value=register]")), chromedp.WaitVisible(css("dl")))
	b.do(t, chromedp.Click(css("[data-flow=logout] [data-submit]")), chromedp.WaitVisible(css("#login")))

	link = ask("login", 2)
	b.do(t, chromedp.Navigate(link), chromedp.Click(css("button.main[value=login]")), chromedp.WaitVisible(css("dl")))
	b.do(t, chromedp.Navigate(link), chromedp.Click(css("button.main[value=login]")))
	b.says(t, "[data-alert]", "验证码")

	b.do(t, chromedp.Navigate(ask("reset_password", 3)))
	b.chooses(t, newPassword)
	b.do(t, chromedp.Click(css("button.main[value=reset_password]")), chromedp.WaitVisible(css("[data-done] h1")))
	s.p.Must(http.StatusCreated, http.MethodPost, "/v1/sessions", map[string]any{"login": email, "password": newPassword})

	b.do(t, chromedp.Navigate(s.base+"/code?token=nonsense"))
	b.says(t, "h1", "链接已失效")
}

func changesEmailByCode(t *testing.T, b *browser, s site) {
	const username, mobile, email = "mail_changer", "13911110031", "mail.changer@example.com"
	s.account(t, username, mobile)
	b.do(t, chromedp.Navigate(s.base+"/login"), chromedp.SendKeys(css("#login"), username),
		chromedp.SendKeys(css("#password"), oldPassword+kb.Enter), chromedp.WaitVisible(css("dl")),
		chromedp.Navigate(s.base+"/account?mode=email"))
	code := b.askMailCode(t, s, "#email", email, 1)
	b.await(t, `document.activeElement.id === 'email_code'`)
	b.do(t, chromedp.SendKeys(css("#email_code"), code), chromedp.SendKeys(css("#password"), oldPassword),
		chromedp.Click(css("button.main[value=email]")))
	b.says(t, "#said", "邮箱已修改")
	s.p.Must(http.StatusCreated, http.MethodPost, "/v1/sessions", map[string]any{"login": email, "password": oldPassword})
}

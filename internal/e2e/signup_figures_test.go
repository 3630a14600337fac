package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// phone is a small phone with a touch screen.
func phone() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := cdp.Call(ctx, target, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: 360, Height: 640, DeviceScaleFactor: 1, Mobile: true,
		}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, target, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: true})
		return err
	})
}

// effort is what a first sign-up costs a person.
type effort struct {
	Fields     []string // that the form shows
	Taps, Keys int
	Time       time.Duration // from the empty form to the account's page, of a person who thinks and types without delay
}

func (e *effort) tap(t testing.TB, b *browser, selector string) {
	t.Helper()
	e.Taps++
	b.do(t, chromedp.Click(css(selector)))
}

func (e *effort) enter(t testing.TB, b *browser, name, text string) {
	t.Helper()
	if !evaluate[bool](t, b, fmt.Sprintf(`document.activeElement.name === %q`, name)) {
		e.tap(t, b, fmt.Sprintf("[data-flow=register] [name=%s]", name))
	}
	e.Keys += utf8.RuneCountInString(text)
	b.do(t, chromedp.SendKeys(css(fmt.Sprintf("[data-flow=register] [name=%s]", name)), text))
}

// signUp fills in what the form requires, whatever that is, and reads the code from the inbox.
func (b *browser) signUp(t testing.TB, s site, contact string) effort {
	t.Helper()
	page := "/register"
	if strings.Contains(contact, "@") {
		page += "?mode=email"
	}
	var e effort
	b.do(t, phone(), chromedp.Navigate(s.base+page))
	b.await(t, `document.querySelector('[data-captcha] img').naturalWidth > 0`)
	start := time.Now()
	e.Fields = evaluate[[]string](t, b, `[...document.querySelectorAll('[data-flow=register] input')]
		.filter((input) => input.type !== 'hidden' && input.checkVisibility()).map((input) => input.name)`)
	for _, name := range e.Fields {
		switch name {
		case "username":
			e.enter(t, b, name, "new_"+contact[:7])
		case "mobile":
			e.enter(t, b, name, contact)
		case "email":
			if !slices.Contains(e.Fields, "mobile") {
				e.enter(t, b, name, contact)
			}
		case "captcha":
			e.enter(t, b, name, captchaAnswer)
			e.tap(t, b, sendCode)
		case "sms_code", "email_code":
			code := s.p.ReadCode(contact, 1)
			b.await(t, `document.activeElement.name === '`+name+`'`)
			e.enter(t, b, name, code)
		case "password", "password_repeat":
			e.enter(t, b, name, newPassword)
		case "agree":
			e.tap(t, b, "#agree")
		default:
			t.Errorf("the form asks for %s", name)
		}
	}
	e.tap(t, b, "button.main[value=register]")
	b.do(t, chromedp.WaitVisible(css("dl")))
	e.Time = time.Since(start)
	return e
}

// mostEffort bounds a first sign-up: the figures are in docs/performance.md.
var mostEffort = effort{Fields: make([]string, 5), Taps: 6, Keys: 50}

func TestSignUp_takes_few_fields_and_taps(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	s := openSiteWith(t, "60s", map[string]string{"USHER_SIGN_UP_FIELDS": "password"}) // the default
	for _, contact := range []string{"13911110060", "shortly@example.com"} {
		tab, s := s.visit(t, b)
		e := tab.signUp(t, s, contact)
		t.Logf("%s: %d fields (%s), %d taps, %d keys, %.1f s", contact, len(e.Fields), strings.Join(e.Fields, " "), e.Taps, e.Keys, e.Time.Seconds())
		if len(e.Fields) > len(mostEffort.Fields) || e.Taps > mostEffort.Taps || e.Keys > mostEffort.Keys {
			t.Errorf("%s: %d fields, %d taps and %d keys are too much", contact, len(e.Fields), e.Taps, e.Keys)
		}
		tab.says(t, "#said", "账号已创建")
		if focused := evaluate[string](t, tab, `document.activeElement.id`); focused != "said" {
			t.Errorf("%s: the focus is on %q, want it on what was done", contact, focused)
		}
	}
	tab, s := s.visit(t, b)
	keepsWhatWasTyped(t, tab, s)
}

// keepsWhatWasTyped changes the language and the tab of the form, loads it again and sends it with a mistake, on a phone whose keyboard
// covers half of the screen.
func keepsWhatWasTyped(t *testing.T, b *browser, s site) {
	t.Helper()
	const mobile = "13911110062"
	b.do(t, phone(), chromedp.Navigate(s.base+"/register"))
	b.await(t, `document.querySelector('[data-captcha] img').naturalWidth > 0`)
	b.askCode(t, mobile)
	code := s.p.ReadCode(mobile, 1)
	b.await(t, `document.activeElement.id === 'sms_code'`)
	b.do(t, chromedp.SendKeys(css("#password"), newPassword), chromedp.Click(css("#agree")))
	const kept = `document.getElementById('mobile')?.value === '` + mobile + `' && document.getElementById('agree').checked && ` +
		`document.getElementById('password').value === '' && document.querySelector('` + sendCode + `').disabled && ` + left + ` > 0`
	b.do(t, chromedp.Click(css(".top a[hreflang]")))
	b.await(t, `document.documentElement.lang === 'en' && `+kept)
	b.do(t, chromedp.Click(css(`.tabs a[href^="/register?mode=email"]`)), chromedp.WaitVisible(css("#email")),
		chromedp.SendKeys(css("#email"), "typed@example.com"), chromedp.Click(css(`.tabs a[href="/register"]`)))
	b.await(t, kept)
	b.do(t, chromedp.Reload())
	b.await(t, kept)
	stored := evaluate[string](t, b, `JSON.stringify(sessionStorage)`)
	if strings.Contains(stored, newPassword) || strings.Contains(stored, code) || strings.Contains(stored, captchaAnswer) {
		t.Errorf("a secret is in the storage of the tab: %s", stored)
	}

	b.do(t, chromedp.SendKeys(css("#sms_code"), "000000"), chromedp.SendKeys(css("#password"), newPassword),
		chromedp.Click(css("button.main[value=register]")))
	b.says(t, "#sms_code-error", "incorrect")
	if !evaluate[bool](t, b, `document.getElementById('mobile').value === '`+mobile+`' && document.getElementById('password').value !== ''`) {
		t.Error("a refused form has lost what was typed")
	}
	wantReachable(t, b)
	b.do(t, chromedp.Evaluate[chromedp.Void](`document.getElementById('sms_code').select()`), chromedp.SendKeys(css("#sms_code"), code),
		chromedp.Click(css("button.main[value=register]")), chromedp.WaitVisible(css("dl")))
	if stored := evaluate[string](t, b, `JSON.stringify(sessionStorage)`); strings.Contains(stored, mobile) {
		t.Errorf("the number stays in the storage of the tab: %s", stored)
	}
}

// wantReachable focuses every field of the form on a screen of which a keyboard leaves the upper half: the field must be in sight, and
// the button of its row too. Everything that a finger presses is large enough (WCAG 2.5.8), and nothing is wider than the screen.
func wantReachable(t *testing.T, b *browser) {
	t.Helper()
	b.do(t, chromedp.EmulateViewport(360, 320))
	hidden := evaluate[[]string](t, b, `(() => {
		const out = [], inSight = (e) => { const box = e.getBoundingClientRect(); return box.top >= 0 && box.bottom <= innerHeight; };
		const form = document.querySelector('[data-flow=register]');
		for (const input of form.querySelectorAll('input:not([type=hidden]):not(:disabled)')) {
			if (!input.checkVisibility()) continue;
			input.blur();
			input.focus();
			input.scrollIntoView({ block: 'nearest' });
			const button = input.closest('.joined, .peekable')?.querySelector('button');
			if (!inSight(input) || button && !inSight(button)) out.push(input.name + ' is hidden');
		}
		form.querySelector('[data-submit]').scrollIntoView({ block: 'nearest' });
		if (!inSight(form.querySelector('[data-submit]'))) out.push('the button is hidden');
		for (const target of form.querySelectorAll('button:not(.away), input[type=checkbox], select')) {
			const box = target.getBoundingClientRect();
			if (target.checkVisibility() && (box.width < 24 || box.height < 24) && !target.closest('.check')) out.push((target.value || target.name) + ' is small');
		}
		if (document.documentElement.scrollWidth > innerWidth) out.push('the page is too wide');
		return out;
	})()`)
	if len(hidden) > 0 {
		t.Errorf("on a small phone: %v", hidden)
	}
	b.do(t, phone())
}

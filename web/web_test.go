package web_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"usher/web"
)

var (
	pageNames     = []string{"register", "check-mail", "login", "forgot", "activate", "code", "decline", "undo", "account", "admin", "admin-account", "error"}
	languages     = []string{"zh", "en"}
	registrations = []string{"", "either", "mobile", "email", "both"}
)

// everyField asks for all that a sign-up may ask for.
var everyField = web.Asked{Username: true, Password: true, PasswordRepeat: true, Email: true}

// samples are pages in every state that changes what a template writes.
func samples() map[string]web.Page {
	image := "data:image/png;base64," + base64.StdEncoding.EncodeToString([]byte("picture"))
	filled := web.Page{
		CaptchaRequired: true, PasswordCaptcha: true, CaptchaID: "c1", CaptchaImage: image, Asked: everyField,
		CodeSent: true, ResendAfter: 60, Token: "t0", Error: "refused", Notice: "noted", Status: 404,
		Form:    map[string]string{"username": "zhang_san", "remember": "true"},
		Fields:  map[string]string{"username": "taken", "mobile": "wrong", "agree": "needed"},
		Account: &web.Account{Username: "zhang_san", Mobile: "138****8000", Email: "z***@example.com", HasPassword: true},
	}
	other := filled
	other.Mode, other.Error = "email", ""
	code := filled
	code.Mode, code.Account = "code", nil
	number, password := filled, filled
	number.Mode, password.Mode, password.Error = "mobile", "password", ""
	number.Sessions = []web.Session{{ID: "s1", Client: "Chrome, Windows", Network: "192.0.2.0/24", Current: true}, {ID: "s2", Remembered: true}}
	password.Said, password.Sessions = "said_password", number.Sessions[:1]
	waiting, correct := filled, filled
	waiting.Waiting, waiting.Address, waiting.Said = true, "zhang@example.com", "resent_own"
	correct.Mode, correct.Address, correct.Error = "correct", "zhang@example.com", ""
	choose, confirm := filled, filled
	choose.Mode, confirm.Mode, confirm.Error = "choose", "confirm", ""
	links := map[string]web.Page{}
	for _, purpose := range []string{"register", "login", "reset_password", "change_email"} {
		link := filled
		link.Mode, link.Address, link.CodeMailed = purpose, "zhang@example.com", true
		links[purpose] = link
	}
	nameless := filled
	nameless.SignInCreates, nameless.TermsURL, nameless.PrivacyURL = true, "https://example.com/terms", "https://example.com/privacy"
	nameless.Account = &web.Account{Mobile: "138****8000"}
	first, name := nameless, nameless
	first.Mode, first.Address, first.Account, name.Mode, name.Error = "login", "zhang@example.com", nil, "username", ""
	newPassword, newAddress := name, nameless
	newPassword.Mode, newAddress.Mode = "password", "change_email"
	managed, found := filled, filled
	at := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	person := web.AdminAccount{ID: "9", Mobile: "139****9000", PendingEmail: "z***@example.com", Superuser: true, CreatedAt: at}
	managed.Mode, managed.Fields, managed.Sessions, managed.Admin = "block", map[string]string{"reason": "missing"}, number.Sessions, &web.Admin{
		Account: &person, Changed: "unblock", MessagesAfter: "m1", RecordsAfter: "r1",
		Messages: []web.AdminMessage{{Purpose: "login", To: "139****9000", State: "delivered", At: at}, {State: "newer", Reason: "superseded"}},
		Records: []web.AdminRecord{
			{Action: "account.blocked", Kind: "app", Actor: "k1", Reason: "why", Fields: []string{"email"}, At: at}, {Action: "newer", Kind: "newer"},
		},
	}
	blocked := person
	blocked.BlockedAt, blocked.Active = at, true
	found.Account = &web.Account{Username: "zhang_san", Superuser: true}
	found.Admin = &web.Admin{Searched: true, Erased: true, After: "9", Account: &blocked, Accounts: []web.AdminAccount{person, blocked}}
	own := found
	own.Admin = &web.Admin{Own: true, Account: &blocked}
	return map[string]web.Page{
		"managed": managed, "found": found, "own": own,
		"in one step": nameless, "in one step by mail": first, "to choose a name": name, "to set a password": newPassword, "to add an address": newAddress,
		"to register": links["register"], "to sign in": links["login"], "to reset": links["reset_password"], "to change": links["change_email"],
		"by next password": choose, "by current password": confirm,
		"waiting": waiting, "with a mistyped address": correct,
		"by number": number, "by password": password,
		"empty": {}, "filled": filled, "by email": other, "by code": code, "done": {Done: true},
	}
}

// eachPage renders every page in every language, registration and sample state.
func eachPage(t *testing.T, check func(t *testing.T, name string, p web.Page, page string)) {
	t.Helper()
	r := newRenderer(t)
	for _, name := range pageNames {
		for _, lang := range languages {
			for _, registration := range registrations {
				for state, p := range samples() {
					p.Lang, p.Registration = lang, registration
					t.Run(fmt.Sprintf("%s/%s/%s/%s", name, lang, registration, state), func(t *testing.T) {
						check(t, name, p, render(t, r, name, p))
					})
				}
			}
		}
	}
}

func newRenderer(t *testing.T) *web.Renderer {
	t.Helper()
	r, err := web.New(nil)
	if err != nil {
		t.Fatalf("got error %v, want a renderer", err)
	}
	return r
}

func render(t *testing.T, r *web.Renderer, name string, p web.Page) string {
	t.Helper()
	var out bytes.Buffer
	if err := r.Render(&out, name, p); err != nil {
		t.Fatalf("render %s: %v", name, err)
	}
	return out.String()
}

// elements returns every element of a page, those inside <template> too.
func elements(t *testing.T, page string) []*html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatalf("parse page: %v", err)
	}
	var found []*html.Node
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode {
			found = append(found, n)
		}
	}
	return found
}

func attr(n *html.Node, key string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val, true
		}
	}
	return "", false
}

func TestRenderer_every_page_is_whole_in_every_state(t *testing.T) {
	t.Parallel()
	eachPage(t, func(t *testing.T, _ string, p web.Page, page string) {
		if !strings.HasSuffix(strings.TrimSpace(page), "</html>") {
			t.Errorf("got a page that does not end with </html>")
		}
		if strings.Contains(page, "ZgotmplZ") || strings.Contains(page, "%!") {
			t.Errorf("got a page with a refused or unformatted value, want none:\n%s", page)
		}
		want := `<html lang="zh-CN">`
		if p.Lang == "en" {
			want = `<html lang="en">`
		}
		if !strings.Contains(page, want) {
			t.Errorf("got no %s", want)
		}
	})
}

func TestRenderer_pages_keep_to_the_policy(t *testing.T) {
	t.Parallel()
	eachPage(t, func(t *testing.T, _ string, p web.Page, page string) {
		for _, n := range elements(t, page) {
			if src, ok := attr(n, "src"); n.Data == "style" || n.Data == "base" || n.Data == "script" && (!ok || n.FirstChild != nil) {
				t.Errorf("got inline <%s src=%q>, want none", n.Data, src)
			}
			for _, a := range n.Attr {
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
					t.Errorf("got attribute %s on <%s>, want none", a.Key, n.Data)
				}
				outside := strings.Contains(a.Val, "//") || strings.HasPrefix(a.Val, "javascript:")
				if rel, _ := attr(n, "rel"); n.Data == "a" && rel == "noopener" && (a.Val == p.TermsURL || a.Val == p.PrivacyURL) {
					continue // the operator's own pages
				}
				if (a.Key == "src" || a.Key == "href" || a.Key == "action") && outside {
					t.Errorf("got %s=%q, want nothing from elsewhere", a.Key, a.Val)
				}
			}
		}
	})
}

func TestRenderer_every_input_has_a_label_and_a_place_for_its_error(t *testing.T) {
	t.Parallel()
	eachPage(t, func(t *testing.T, _ string, _ web.Page, page string) {
		ids, labelled := map[string]int{}, map[string]bool{}
		all := elements(t, page)
		for _, n := range all {
			if id, ok := attr(n, "id"); ok {
				ids[id]++
			}
			if target, ok := attr(n, "for"); ok && n.Data == "label" {
				labelled[target] = true
			}
		}
		for id, count := range ids {
			if count > 1 {
				t.Errorf("got id %q %d times, want it once", id, count)
			}
		}
		for _, n := range all {
			if kind, _ := attr(n, "type"); n.Data != "input" || kind == "hidden" {
				continue
			}
			id, _ := attr(n, "id")
			if !labelled[id] {
				t.Errorf("got no label for input %q", id)
			}
			described, _ := attr(n, "aria-describedby")
			for target := range strings.FieldsSeq(described) {
				if ids[target] == 0 {
					t.Errorf("input %q is described by %q, which does not exist", id, target)
				}
			}
		}
	})
}

// The browser presses a form's first submit button when Enter is pressed in a field.
func TestRenderer_enter_presses_the_main_button(t *testing.T) {
	t.Parallel()
	eachPage(t, func(t *testing.T, _ string, _ web.Page, page string) {
		first := map[*html.Node]string{}
		for _, n := range elements(t, page) {
			if kind, _ := attr(n, "type"); n.Data != "button" || kind == "button" {
				continue
			}
			form := n.Parent
			for form != nil && form.Data != "form" {
				form = form.Parent
			}
			action, _ := attr(n, "value")
			if _, seen := first[form]; !seen {
				first[form] = action
			}
			if _, isMain := attr(n, "data-submit"); isMain && first[form] != action {
				t.Errorf("Enter presses %q, want %q", first[form], action)
			}
		}
	})
}

func TestRenderer_hostile_values_come_out_escaped(t *testing.T) {
	t.Parallel()
	const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>'`
	r := newRenderer(t)
	every := map[string]string{}
	for _, field := range []string{"username", "mobile", "email", "login", "sms_code", "password", "password_repeat", "captcha", "agree"} {
		every[field] = hostile
	}
	for _, name := range pageNames {
		for _, mode := range []string{"", "email", "mobile", "password", "code", hostile} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				page := render(t, r, name, web.Page{
					Lang: hostile, Path: "/" + hostile, Mode: mode, Registration: hostile,
					CaptchaRequired: true, PasswordCaptcha: true, CaptchaID: hostile,
					CaptchaImage: "data:image/png;base64," + hostile, Form: every, Fields: every,
					Error: hostile, Notice: hostile, Token: hostile,
					Account:  &web.Account{Username: hostile, Mobile: hostile, Email: hostile},
					Sessions: []web.Session{{ID: hostile, Client: hostile, Network: hostile}},
				})
				if strings.Contains(page, "<script>") || strings.Contains(page, "<img src=x") {
					t.Errorf("got markup from a value, want it escaped:\n%s", page)
				}
				for _, n := range elements(t, page) {
					if _, ok := attr(n, "onerror"); ok {
						t.Errorf("got an event handler on <%s>, want none", n.Data)
					}
				}
			})
		}
	}
}

func TestRenderer_passwords_are_never_shown_again(t *testing.T) {
	t.Parallel()
	r := newRenderer(t)
	secret := map[string]string{}
	for _, field := range []string{"password", "password_repeat", "password_current", "captcha"} {
		secret[field] = "hunter2-secret"
	}
	for _, name := range pageNames {
		for _, mode := range []string{"", "password", "email", "mobile"} {
			page := render(t, r, name, web.Page{
				Mode: mode, CaptchaRequired: true, PasswordCaptcha: true, Account: &web.Account{Username: "zhang_san"}, Form: secret,
			})
			if strings.Contains(page, "hunter2-secret") {
				t.Errorf("%s shows a password or captcha answer again", name)
			}
		}
	}
}

func TestRenderer_registration_decides_which_fields_are_asked(t *testing.T) {
	t.Parallel()
	tests := []struct {
		registration, mode    string
		mobile, email, insist bool
	}{
		{"either", "", true, true, false},
		{"either", "email", false, true, true},
		{"mobile", "email", true, false, false},
		{"email", "", false, true, true},
		{"both", "email", true, true, true},
	}
	r := newRenderer(t)
	for _, tt := range tests {
		t.Run(tt.registration+"/"+tt.mode, func(t *testing.T) {
			t.Parallel()
			page := render(t, r, "register", web.Page{Registration: tt.registration, Mode: tt.mode, Asked: everyField})
			var mobile, email, insist bool
			for _, n := range elements(t, page) {
				switch id, _ := attr(n, "id"); id {
				case "mobile":
					mobile = true
				case "email":
					email = true
					_, insist = attr(n, "required")
				}
			}
			if mobile != tt.mobile || email != tt.email || insist != tt.insist {
				t.Errorf("got mobile %t, email %t, insisted on %t, want %t, %t, %t",
					mobile, email, insist, tt.mobile, tt.email, tt.insist)
			}
		})
	}
}

func TestRenderer_register_shows_the_fields_that_are_asked(t *testing.T) {
	t.Parallel()
	r := newRenderer(t)
	for asked, want := range map[web.Asked]string{
		{}:                               "mobile sms_code agree",
		{Password: true}:                 "mobile sms_code password agree",
		{Username: true, Password: true}: "username mobile sms_code password agree",
		everyField:                       "username mobile sms_code email password password_repeat agree",
	} {
		page := render(t, r, "register", web.Page{Asked: asked})
		script, _, _ := strings.Cut(page, "<noscript>") // there is the repetition for people who cannot have the password shown
		_, rest, _ := strings.Cut(page, "</noscript>")
		var got []string
		for _, n := range elements(t, script+rest) {
			if id, _ := attr(n, "id"); n.Data == "input" && id != "" {
				got = append(got, id)
			}
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%+v: the form asks for %s, want %s", asked, text, want)
		}
		if repeated := strings.Count(page, `id="password_repeat"`); repeated != strings.Count(page, `id="password"`) {
			t.Errorf("%+v: without scripts the password is repeated %d times", asked, repeated)
		}
	}
	for asked, optional := range map[web.Asked]bool{{}: false, {Password: true}: true} {
		page := render(t, r, "register", web.Page{Mode: "email", Asked: asked})
		if got := !strings.Contains(page, `autocomplete="one-time-code" required`); got != optional {
			t.Errorf("%+v: the code by mail is optional: %t, want %t", asked, got, optional)
		}
	}
}

func TestRenderer_unknown_page_is_an_error_and_writes_nothing(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := newRenderer(t).Render(&out, "../secret", web.Page{}); err == nil || out.Len() > 0 {
		t.Errorf("got error %v and %d bytes, want an error and nothing written", err, out.Len())
	}
}

// compressed is the size of a text as it travels.
func compressed(t *testing.T, text []byte) int {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Len()
}

func TestRenderer_register_is_light(t *testing.T) {
	t.Parallel()
	const limit = 30 << 10 // half of what it may weigh on the wire with its captcha and headers
	r := newRenderer(t)
	p := samples()["filled"]
	p.Registration = "both"
	weight := compressed(t, []byte(render(t, r, "register", p)))
	for _, name := range []string{"app.css", "app.js", "usher.js", "icon.svg"} {
		content, err := fs.ReadFile(newRenderer(t).Static(), strings.TrimPrefix(r.AssetURL(name), "/static/"))
		if err != nil {
			t.Fatalf("read %s: %v", name, err)
		}
		weight += compressed(t, content)
	}
	if weight > limit {
		t.Errorf("got %d bytes for /register with its files, want at most %d", weight, limit)
	}
	t.Logf("/register weighs %d bytes", weight)
}

func TestRenderer_search_engines_are_kept_off_pages_about_one_person(t *testing.T) {
	t.Parallel()
	titles := map[string]string{}
	eachPage(t, func(t *testing.T, name string, _ web.Page, page string) {
		private := slices.Contains([]string{"account", "admin", "admin-account", "check-mail", "code", "activate", "decline", "undo", "error"}, name)
		if got := strings.Contains(page, `<meta name="robots" content="noindex">`); got != private {
			t.Errorf("noindex on %s is %t, want %t", name, got, private)
		}
		_, rest, _ := strings.Cut(page, "<title>")
		title, _, _ := strings.Cut(rest, "</title>")
		if other, taken := titles[title]; title == "" || taken && other != name {
			t.Errorf("%s is titled %q, as %q is", name, title, other)
		}
		titles[title] = name
	})
}

func TestRenderer_codes_with_letters_have_a_keyboard_with_letters(t *testing.T) {
	t.Parallel()
	r := newRenderer(t)
	for letters, want := range map[bool]string{
		false: `inputmode="numeric" autocomplete="one-time-code" required`,
		true:  `inputmode="text" autocomplete="one-time-code" autocapitalize="characters" spellcheck="false" data-letters required`,
	} {
		if page := render(t, r, "register", web.Page{Lang: "en", CodeLength: 6, CodeLetters: letters}); !strings.Contains(page, want) {
			t.Errorf("letters %v: the page lacks %s", letters, want)
		}
	}
}

func TestRenderer_sum_in_the_picture_asks_for_its_result(t *testing.T) {
	t.Parallel()
	r := newRenderer(t)
	for kind, want := range map[string][2]string{
		"digits": {"Text in the image", `inputmode="numeric"`}, "letters": {"Text in the image", `inputmode="text"`},
		"words": {"Text in the image", `inputmode="text"`}, "pow": {"Text in the image", `inputmode="numeric"`},
		"math": {"Answer to the sum", `inputmode="numeric"`},
	} {
		page := render(t, r, "register", web.Page{Lang: "en", CaptchaRequired: true, CaptchaKind: kind})
		if !strings.Contains(page, want[0]+"</label>") || !strings.Contains(page, want[1]+` autocomplete="off"`) {
			t.Errorf("%s: the label is not %q, or the keyboard not %s", kind, want[0], want[1])
		}
	}
}

package web

import (
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Page is everything a template may need. Zero values are safe: an empty Page renders every page in
// Chinese, with either way of registering and without captchas.
type Page struct {
	// Lang is "zh" or "en"; anything else means "zh".
	Lang string
	// Path is the active path, for the language switch; empty means that of the page.
	Path string
	// Registration is either, mobile, email or both, as USHER_REGISTRATION; empty means either.
	Registration string
	// Mode is the way chosen on /register ("mobile" or "email") and /login ("password" or "code"), and
	// the form on /account ("password", "email" or "mobile"): the query or form value "mode" as it came.
	// Unknown and unavailable values mean the first way, and no form. On /activate it is what the link
	// lacks: "choose" asks for the next password, "confirm" for the current one.
	Mode string
	// CaptchaRequired is false when captchas are off. CaptchaKind is that of the pictures, as
	// USHER_CAPTCHA_KIND: what the page asks for depends on it.
	CaptchaRequired bool
	CaptchaKind     string
	// CodeLength is how many digits a code by SMS has; 0 means that the page does not know.
	CodeLength int
	// PasswordCaptcha shows the captcha on the password form of /login, after failures.
	PasswordCaptcha bool
	// Form holds the values typed before, for a page shown again. Passwords and captcha answers in
	// it are never shown.
	Form map[string]string
	// Fields holds a sentence in the page's language for each refused field.
	Fields map[string]string
	// Error and Notice are sentences about the page as a whole.
	Error, Notice string
	// CaptchaID and CaptchaImage (a data URI of a PNG) are the challenge for people without a
	// script. With both empty the script asks for one when it starts.
	CaptchaID, CaptchaImage string
	// CaptchaPrice is what further challenges have to be asked for with: "high", or empty for a normal one.
	CaptchaPrice string
	// SecondProof shows on /login that a code is not enough, and what to do.
	SecondProof bool
	// CodeSent says that a code has just been sent; ResendAfter is in seconds.
	CodeSent    bool
	ResendAfter int
	// Token is that of the mail's link on /activate, /decline and /undo.
	Token string
	// Done says that the purpose of the page is reached (registered and waiting for activation,
	// password reset, address proved or declined): what comes next is shown instead of the form.
	Done bool
	// Status is the HTTP status on the error page; 404 has its own words.
	Status int
	// Account is the signed-in account, or nil.
	Account *Account
	// Sessions are those of the account, the present one first.
	Sessions []Session
	// Said names the text that says what was done on /account, without its prefix "js.".
	Said string
}

// Session is what the pages show of a session. All of it is for people; the ID ends the session.
type Session struct {
	ID, Client, Network string
	Created, Seen       time.Time
	Remembered, Current bool
}

// Account is what the pages show of an account. The numbers and the addresses come masked; PendingEmail waits for
// its proof, PendingMobile is a number that another account still has.
type Account struct {
	ID, Username, Mobile, PendingMobile, Email, PendingEmail string

	Active bool
}

// view is what the templates see: a page with its language and its defaults resolved.
type view struct {
	Page
	Name  string
	CSS   string
	JS    string
	Icon  string
	texts map[string]string
}

func (r *Renderer) view(name string, p Page) view {
	if p.Lang != english {
		p.Lang = chinese
	}
	if p.Path == "" {
		p.Path = "/" + name
	}
	switch p.Registration {
	case "mobile", "email", "both":
	default:
		p.Registration = "either"
	}
	return view{
		Page: p, Name: name, texts: r.texts[p.Lang],
		CSS: r.AssetURL("app.css"), JS: r.AssetURL("app.js"), Icon: r.AssetURL("icon.svg"),
	}
}

// Value returns what was typed into a field before, but never a secret.
func (v view) Value(field string) string {
	switch field {
	case "password", "password_repeat", "password_current", "captcha":
		return ""
	}
	return v.Form[field]
}

// Checked says whether a box was ticked before, in any of the ways a form or program writes it.
func (v view) Checked(field string) bool {
	switch strings.ToLower(v.Form[field]) {
	case "", "0", "false", "off":
		return false
	}
	return true
}

// Invalid is the value of a field's aria-invalid attribute.
func (v view) Invalid(field string) string {
	if v.Fields[field] != "" {
		return "true"
	}
	return "false"
}

// CaptchaURL returns the captcha's image for a src attribute. html/template refuses data URIs, so
// this one is vouched for after a look at it: anything but a base64 PNG is dropped.
func (v view) CaptchaURL() template.URL {
	const prefix = "data:image/png;base64,"
	encoded, ok := strings.CutPrefix(v.CaptchaImage, prefix)
	if !ok {
		return ""
	}
	if _, err := base64.StdEncoding.DecodeString(encoded); err != nil {
		return ""
	}
	return template.URL(v.CaptchaImage) //nolint:gosec // Checked above: base64 holds no markup.
}

// HTMLLang is the page's language as the lang attribute wants it.
func (v view) HTMLLang() string { return htmlLang(v.Lang) }

// OtherLang is the language that the switch leads to, as a lang attribute.
func (v view) OtherLang() string { return htmlLang(v.otherLang()) }

// OtherLangURL is this page in the other language. The mode and the activation token stay.
func (v view) OtherLangURL() string {
	query := url.Values{"lang": {v.otherLang()}}
	if v.Mode != "" {
		query.Set("mode", v.Mode)
	}
	if v.Token != "" {
		query.Set("token", v.Token)
	}
	return v.Path + "?" + query.Encode()
}

func (v view) otherLang() string {
	if v.Lang == english {
		return chinese
	}
	return english
}

func htmlLang(lang string) string {
	if lang == english {
		return "en"
	}
	return "zh-CN"
}

// ByEmail says that this registration goes by email alone: no number, and the captcha guards the
// registration itself instead of the sending of a code.
func (v view) ByEmail() bool {
	return v.Registration == "email" || v.Registration == "either" && v.Mode == "email"
}

// EmailField says whether accounts may have an email address at all.
func (v view) EmailField() bool { return v.Registration != "mobile" }

// EmailRequired says whether the form insists on an email address.
func (v view) EmailRequired() bool {
	return v.ByEmail() || v.Registration == "both" || v.Name == "account"
}

// Others says whether the account has other sessions than the present one.
func (v view) Others() bool {
	return slices.ContainsFunc(v.Sessions, func(s Session) bool { return !s.Current })
}

// MobileKnown says whether accounts may have a number, so that codes are of use.
func (v view) MobileKnown() bool { return v.Registration != "email" }

// ByCode says that this sign-in goes by a code instead of a password.
func (v view) ByCode() bool { return v.Mode == "code" && v.MobileKnown() }

// Sum says that the captcha's answer is not what the picture shows but what it comes to.
func (v view) Sum() bool { return v.CaptchaKind == "math" }

// Lettered says that a keyboard of digits is not enough to answer the captcha.
func (v view) Lettered() bool { return v.CaptchaKind == "letters" }

// Private says that a page is nothing for search engines: it is about one person or one mistake.
func (v view) Private() bool {
	return slices.Contains([]string{"account", "activate", "decline", "undo", "error"}, v.Name)
}

// Missing says that the error page is about a path that does not exist.
func (v view) Missing() bool { return v.Status == http.StatusNotFound }

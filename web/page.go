package web

import (
	"cmp"
	"encoding/base64"
	"html/template"
	"net/url"
	"slices"
	"strings"
	"time"

	"usher/web/embedded"
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
	// Asked says which fields a sign-up asks for beside its contacts.
	Asked Asked
	// Regions are the served ones, that of numbers without a country code first; empty means mainland China.
	Regions []Region
	// SignInCreates says that a sign-in by code makes a missing account: the first tab of /login is "code" then.
	SignInCreates bool
	// TermsURL and PrivacyURL are the pages that a person agrees to; empty: there is no link.
	TermsURL, PrivacyURL string
	// Mode is the tab of /register ("mobile" or "email") and /login ("password" or "code"), and the form of
	// /account ("username", "password", "email" or "mobile"): the query or form value "mode", unchecked. Unknown and
	// unavailable values mean the first tab, and no form. On /check-mail "correct" shows the form for another address. On /activate it is the field that the link needs:
	// "choose" for a new password, "confirm" for the current one, "sign_in" where there is none. On /code it is the purpose of the code that the link carries; empty: the link is not valid.
	Mode string
	// CaptchaRequired is false when captchas are off. CaptchaKind is USHER_CAPTCHA_KIND: the label of the
	// field depends on it.
	CaptchaRequired bool
	CaptchaKind     string
	// CaptchaFrame is the path of the page with a vendor's captcha, which the script shows first; empty for none.
	CaptchaFrame string
	// CodeLength is the number of characters of a code by SMS, MailCodeLength that of one by mail; 0 means unknown. CodeLetters
	// says that they may be letters.
	CodeLength, MailCodeLength int
	CodeLetters                bool
	// PasswordCaptcha shows the captcha on the password form of /login, after failures.
	PasswordCaptcha bool
	// RememberedName is the user name that /login fills in from an earlier sign-in; empty for none.
	RememberedName string
	// Form has the values typed before, for a page that is shown again. It never shows passwords and captcha
	// answers.
	Form map[string]string
	// Fields has a sentence in the page's language for each refused field.
	Fields map[string]string
	// Error and Notice are sentences about the page as a whole.
	Error, Notice string
	// CaptchaID and CaptchaImage (a data URI of a PNG) are the challenge for people without JavaScript. When
	// both are empty the script requests one at its start.
	CaptchaID, CaptchaImage string
	// CaptchaAudio is the recording (a data URI of a WAV file) that is shown instead of the image to a person without JavaScript who
	// asked for one.
	CaptchaAudio string
	// Spoken asks for a recording. Templates do not read it.
	Spoken bool
	// CaptchaPrice is the price of further challenges: "high", or empty for a normal one.
	CaptchaPrice string
	// Address is the full address of the account that this browser has registered and that waits for its proof, on
	// /check-mail; empty where there is none.
	Address string
	// Waiting shows on /login how the account of the right password is activated.
	Waiting bool
	// SecondProof shows on /login that a code is not enough, and what to do.
	SecondProof bool
	// CodeSent says that a code has just been sent, and CodeMailed that it was sent by mail; ResendAfter is in seconds.
	CodeSent    bool
	CodeMailed  bool
	ResendAfter int
	// Next is the checked address that the person is sent to after a sign-in; empty means Home, and without it /account.
	Next, Home string
	// Token is that of the mail's link on /activate, /decline, /undo and /code.
	Token string
	// Done means success (registered and waiting for activation, password reset, address proved or
	// declined): the page shows the next step instead of the form.
	Done bool
	// Status is the HTTP status on the error page; 404 has a text of its own.
	Status int
	// Admin is what the pages for superusers show, or nil on all other pages.
	Admin *Admin
	// Account is the signed-in account, or nil.
	Account *Account
	// Sessions are those of the account, the present one first.
	Sessions []Session
	// ConsentDue are the documents that the person has to agree to before anything else.
	ConsentDue []Document
	// AgreedTerms and AgreedPrivacy say which consents can be withdrawn.
	AgreedTerms, AgreedPrivacy bool
	// Deletion is what follows from the request to delete the account, or nil.
	Deletion *Deletion
	// Said is the key of the text about what was done on /account and /check-mail, without its prefix "js.".
	Said string
}

// Asked are the fields of a sign-up beside its contacts, as USHER_SIGN_UP_FIELDS.
type Asked struct {
	Username, Password bool
	PasswordRepeat     bool // wherever a password is chosen
	Email              bool // an optional address in the form of a number
}

// sayings are the texts about what was done that a page may say after a redirect.
var sayings = []string{
	"resent_own", "said_agree", "said_created", "said_email", "said_email_proved", "said_end_others", "said_end_session", "said_kept", "said_mobile", "said_password",
	"said_username", "said_withdraw_privacy", "said_withdraw_terms",
}

// IsSaid reports whether a key is that of a text about what was done.
func IsSaid(key string) bool { return slices.Contains(sayings, key) }

// Session is what its owner sees of a session, on the pages and in the answers of the API. The ID is for ending it; nothing
// here opens the session.
type Session struct {
	ID         string    `json:"id"`
	CreatedAt  time.Time `json:"created_at"`
	SeenAt     time.Time `json:"seen_at"`
	Remembered bool      `json:"remembered"`
	Current    bool      `json:"current"`
	Client     string    `json:"client"`
	Network    string    `json:"network"`
}

// Account is what the pages show of an account, with masked numbers and addresses. PendingEmail waits for its proof;
// PendingMobile is a number that another account still has.
type Account struct {
	Username, Mobile, PendingMobile, Email, PendingEmail string

	Active, HasPassword, Superuser bool
}

// Name is how the page addresses the account's owner.
func (a Account) Name() string {
	return cmp.Or(a.Username, a.Mobile, a.PendingMobile, a.Email, a.PendingEmail)
}

// Document is a version of a text to agree to. The name is terms or privacy; the URL may be empty.
type Document struct{ Name, Version, URL string }

// Deletion says when an account will be deleted; the zero time means that it is gone.
type Deletion struct{ At time.Time }

// To returns the address of a page of ours that sends the person on to the same address as this one.
func (p Page) To(path string) string {
	if p.Next == "" {
		return path
	}
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return path + separator + url.Values{"next": {p.Next}}.Encode()
}

// Landing is where a person who is signed in goes from this page.
func (p Page) Landing() string { return cmp.Or(p.Next, p.Home, "/account") }

// LandsElsewhere reports whether that is another page than the account's own.
func (p Page) LandsElsewhere() bool { return p.Landing() != "/account" }

// view is what the templates see: a page with its language and its defaults resolved.
type view struct {
	Page
	embedded.Texts
	*Renderer

	Name string
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
	return view{p, r.texts[p.Lang], r, name}
}

// Value returns the text typed into a field before; it is empty for secrets.
func (v view) Value(field string) string {
	switch field {
	case "password", "password_repeat", "password_current", "captcha":
		return ""
	}
	return v.Form[field]
}

// Checked reports whether a box was ticked before, in every form that a browser or program sends.
func (v view) Checked(field string) bool {
	return !slices.Contains([]string{"", "0", "false", "off"}, strings.ToLower(v.Form[field]))
}

// Invalid is the value of a field's aria-invalid attribute.
func (v view) Invalid(field string) string {
	if v.Fields[field] != "" {
		return "true"
	}
	return "false"
}

// CaptchaURL returns the captcha's image for a src attribute. html/template refuses data URIs, so this
// one is marked as safe after a check: anything but a base64 PNG becomes empty.
func (v view) CaptchaURL() template.URL {
	const prefix = "data:image/png;base64,"
	encoded, ok := strings.CutPrefix(v.CaptchaImage, prefix)
	if _, err := base64.StdEncoding.DecodeString(encoded); !ok || err != nil {
		return ""
	}
	return template.URL(v.CaptchaImage) //nolint:gosec // Checked above: base64 holds no markup.
}

// CaptchaSound is [view.CaptchaURL] for a recording.
func (v view) CaptchaSound() template.URL {
	const prefix = "data:audio/wav;base64,"
	encoded, ok := strings.CutPrefix(v.CaptchaAudio, prefix)
	if _, err := base64.StdEncoding.DecodeString(encoded); !ok || err != nil {
		return ""
	}
	return template.URL(v.CaptchaAudio) //nolint:gosec // Checked above: base64 holds no markup.
}

// beijing is the time of mainland China, which has no other.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// Clock shows a time where the script cannot show it in the person's own zone: it names the zone that it uses.
func (v view) Clock(t time.Time) string {
	if v.Lang == english {
		return t.UTC().Format("2 Jan 2006, 15:04 UTC")
	}
	return "北京时间 " + t.In(beijing).Format("2006-01-02 15:04")
}

// URLIn is the address of this page in a language, with its mode, token and next address.
func (v view) URLIn(lang string) string {
	query := url.Values{"lang": {lang}}
	if v.Mode != "" {
		query.Set("mode", v.Mode)
	}
	if v.Token != "" {
		query.Set("token", v.Token)
	}
	return v.To(v.Path + "?" + query.Encode())
}

// ByEmail reports whether this registration needs an address alone: then the captcha protects the registration itself
// instead of the sending of a code.
func (v view) ByEmail() bool {
	return v.Registration == "email" || v.Registration == "either" && v.Mode == "email"
}

// EmailField reports whether accounts may have an email address.
func (v view) EmailField() bool { return v.Registration != "mobile" }

// EmailRequired reports whether the form requires an email address.
func (v view) EmailRequired() bool {
	return v.Name != "register" || v.ByEmail() || v.Registration == "both"
}

// Others reports whether the account has other sessions than the current one.
func (v view) Others() bool {
	return slices.ContainsFunc(v.Sessions, func(s Session) bool { return !s.Current })
}

// MobileKnown reports whether accounts may have a number, so that codes can be sent.
func (v view) MobileKnown() bool { return v.Registration != "email" }

// ByCode reports whether this sign-in uses a code instead of a password.
func (v view) ByCode() bool { return v.Mode == "code" || v.SignInCreates && v.Mode != "password" }

// SigningIn reports whether the form signs in, which may make an account: it asks for consent only for that case.
func (v view) SigningIn() bool { return v.Name == "login" || v.Name == "code" && v.Mode == "login" }

// CodeTo says where the page's code is sent: "mobile", "email", or "either", where one field takes a number or an address.
func (v view) CodeTo() string {
	switch {
	case v.Name == "register" && v.ByEmail(), v.Name == "account" && v.Mode == "email":
		return "email"
	case v.Name != "login" && v.Name != "forgot" || !v.EmailField():
		return "mobile"
	case !v.MobileKnown():
		return "email"
	}
	return "either"
}

// CodeField is the name of the field for the code. A field for either kind has the name of that for numbers.
func (v view) CodeField() string {
	if v.CodeTo() == "email" {
		return "email_code"
	}
	return "sms_code"
}

// CodeOptional reports whether a link proves the address when no code is typed. An account without a password needs its proof at
// once.
func (v view) CodeOptional() bool {
	return v.CodeTo() == "email" && (v.Name == "register" && v.Asked.Password || v.Name == "account")
}

// TextFor is the text of a key that has variants for numbers, addresses and either.
func (v view) TextFor(key string) (string, error) { return v.T(key + "_" + v.CodeTo()) }

// Private reports whether search engines must not index the page: it is about one person, or an error.
func (v view) Private() bool {
	return slices.Contains([]string{"account", "admin", "admin-account", "check-mail", "code", "activate", "decline", "undo", "error"}, v.Name)
}

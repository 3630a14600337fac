package config

import (
	"errors"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"usher/webhooks"
)

// API is what cmd/api reads. It contains no key with which a message could be sent; HTTPSecret, which signs reports both ways, is shared with the worker.
type API struct {
	Common

	HTTPAddr       string   `env:"HTTP_ADDR" envDefault:":8080" desc:"Address of the HTTP API and the pages."`
	OpsAddr        string   `env:"OPS_ADDR" envDefault:"127.0.0.1:8081" desc:"Operations port. The worker's default is 127.0.0.1:8082."`
	AllowedOrigins []string `env:"ALLOWED_ORIGINS" desc:"Origins of other frontends, such as https://www.example.com; see docs/frontend.md."`
	ReturnTo       []string `env:"RETURN_TO" desc:"Addresses that the pages may send people back to after a sign-in (?next=), such as https://www.example.com or https://www.example.com/shop; see docs/frontend.md."`
	Landing        string   `env:"LANDING" desc:"Where the pages send a person who has signed up or in without ?next=: an address inside one of RETURN_TO; empty: /account."`
	CookieDomain   string   `env:"COOKIE_DOMAIN" desc:"Parent domain of PUBLIC_URL, such as example.com, whose hosts all get the session's cookie; empty: PUBLIC_URL's host alone. Read docs/frontend.md first."`
	TrustedProxies []string `env:"TRUSTED_PROXIES" prod:"set" desc:"Addresses or networks of proxies whose X-Forwarded-For is believed; see docs/limits.md."`
	ReportSecret   Secret   `env:"REPORT_SECRET" prod:"set" desc:"Secret in the path of pushed delivery reports (openssl rand -hex 16); without it none are accepted. See docs/messages.md."`
	HTTPSecret     Secret   `env:"HTTP_SECRET" desc:"Signed HTTP sender: secret that signs requests and reports, whsec_ and base64 (echo whsec_$(openssl rand -base64 32)); two with a comma between while it is rotated, the new one first."`
	TokenKeys      Secret   `env:"TOKEN_KEYS" desc:"id:base64,… with P-256 private keys (admin keys generate) that sign tokens for other services; the first one signs. Replace one only by docs/keys.md. Without it there are no tokens."`
	TokenAudiences []string `env:"TOKEN_AUDIENCES" desc:"Names of the services that tokens of sessions are made for, such as shop,https://api.example.com; see docs/tokens.md."`
	OpsWrite       bool     `env:"OPS_WRITE" envDefault:"false" desc:"Whether the queues dashboard may change anything."`

	Registration   string        `env:"REGISTRATION" envDefault:"either" desc:"What a registration must prove: either, mobile, email or both."`
	SignUpFields   []string      `env:"SIGN_UP_FIELDS" envDefault:"password" desc:"What a registration asks for beside the contacts of REGISTRATION: any of username, password, password_repeat and email (a field for an address beside a number), or none. See docs/accounts.md."`
	SignInCreates  bool          `env:"SIGN_IN_CREATES" envDefault:"false" desc:"Whether signing in with a right code for a contact without an account makes the account; not with REGISTRATION=both. See docs/accounts.md."`
	TermsURL       string        `env:"TERMS_URL" desc:"Page with the terms of use, an https address that the pages link to where a person agrees."`
	PrivacyURL     string        `env:"PRIVACY_URL" desc:"Page with the privacy policy, linked to beside the terms."`
	PrivacyVersion string        `env:"PRIVACY_VERSION" desc:"Version of the privacy policy; a new one asks people to agree at the next sign-in; at most 64 characters. See docs/privacy.md."`
	DeleteGrace    time.Duration `env:"DELETE_GRACE" envDefault:"168h" desc:"How long people can take the deletion of their account back by signing in, at most 360h; 0 deletes at once. See docs/privacy.md."`
	TermsVersion   string        `env:"TERMS_VERSION" desc:"Version of the terms that people agree to, such as 2026-12-01, stored with each consent; at most 64 characters."`
	ActivationTTL  time.Duration `env:"ACTIVATION_TTL" envDefault:"1h" desc:"Life of an activation link."`
	NumberRecheck  time.Duration `env:"NUMBER_RECHECK" envDefault:"4320h" desc:"After this time without use, a code alone opens no account that has another proof; at least 720h, 0 is off. See docs/accounts.md."`

	SMSCodeLength           int           `env:"SMS_CODE_LENGTH" envDefault:"6" desc:"Characters of a code, 4 to 6."`
	SMSCodeTTL              time.Duration `env:"SMS_CODE_TTL" envDefault:"5m" desc:"Life of a code."`
	SMSCodeAttempts         int           `env:"SMS_CODE_ATTEMPTS" envDefault:"5" desc:"Guesses allowed on one code."`
	SMSRefuseRegistered     bool          `env:"SMS_REFUSE_REGISTERED" envDefault:"false" desc:"Whether a code for a registration is refused to a number that has an account. It tells who has one: see docs/security-controls.md."`
	EmailCodeLength         int           `env:"EMAIL_CODE_LENGTH" envDefault:"8" desc:"Characters of a code by mail, 6 to 8: longer than by SMS, because no budget bounds how many strangers can guess at. See docs/limits.md."`
	EmailCodeTTL            time.Duration `env:"EMAIL_CODE_TTL" envDefault:"10m" desc:"Life of a code by mail, and of the button beside it."`
	EmailCodeResendInterval time.Duration `env:"EMAIL_CODE_RESEND_INTERVAL" envDefault:"60s" desc:"Pause between two codes to one mailbox."`
	SMSResendInterval       time.Duration `env:"SMS_RESEND_INTERVAL" envDefault:"60s" desc:"Pause between two codes to one number; Aliyun's own limit is one a minute."`

	CaptchaKind       string        `env:"CAPTCHA_KIND" envDefault:"digits" desc:"digits, letters, words (English ones), math, pow (a proof of work by the browser), or off behind another protection."`
	CaptchaLength     int           `env:"CAPTCHA_LENGTH" envDefault:"0" desc:"Characters of a captcha, 4 to 8; 0 is the kind's default. Sums and words have their own length."`
	CaptchaWidth      int           `env:"CAPTCHA_WIDTH" envDefault:"0" desc:"Width of the picture in pixels, 80 to 480; 0 is the kind's default: 160, of words 200."`
	CaptchaHeight     int           `env:"CAPTCHA_HEIGHT" envDefault:"60" desc:"Height of the picture in pixels, 40 to 160."`
	CaptchaNoise      int           `env:"CAPTCHA_NOISE" envDefault:"0" desc:"Lines and specks in the picture, 1 to 8; 0 is the kind's default: 2, of words 4."`
	CaptchaFont       string        `env:"CAPTCHA_FONT" desc:"Path of a TrueType or OpenType font with the kind's characters, at most 32 MiB; by default Go's own bold fonts."`
	CaptchaFontSize   int           `env:"CAPTCHA_FONT_SIZE" envDefault:"0" desc:"Font size in pixels, 0.4 to 0.9 of the height; a character without room for it is smaller. 0 fits the height."`
	CaptchaRotation   int           `env:"CAPTCHA_ROTATION" envDefault:"10" desc:"Degrees that a character is turned at most to either side, 0 to 45."`
	CaptchaWords      string        `env:"CAPTCHA_WORDS" desc:"Path of a list for the kind words: one a line, at least 1000 with 4 to 7 letters from a to z; other lines are skipped. By default our own 1259."`
	CaptchaInk        string        `env:"CAPTCHA_INK" desc:"Colour of the characters as #RRGGBB; by default random and dark."`
	CaptchaBackground string        `env:"CAPTCHA_BACKGROUND" desc:"Colour behind them as #RRGGBB; by default random and pale."`
	CaptchaLanguage   string        `env:"CAPTCHA_LANGUAGE" desc:"Language of the recordings, zh or en; by default the listener's."`
	CaptchaWork       int           `env:"CAPTCHA_WORK" envDefault:"300" desc:"Derivations that a proof of work of the normal price takes at most, 100 to 100000. See docs/limits.md."`
	CaptchaTTL        time.Duration `env:"CAPTCHA_TTL" envDefault:"5m" desc:"Life of a captcha."`

	CaptchaHosted    string `env:"CAPTCHA_HOSTED" desc:"Vendor whose captcha the pages show first: geetest; empty for none. The captcha of CAPTCHA_KIND stays for everybody else; see docs/hosted-captchas.md."`
	GeetestCaptchaID string `env:"GEETEST_CAPTCHA_ID" desc:"GeeTest v4: captcha id (captcha_id) of the console, 32 characters; public."`
	GeetestKey       Secret `env:"GEETEST_KEY" desc:"GeeTest v4: key (captcha_key) of that captcha id, 32 characters."`
	GeetestEndpoint  string `env:"GEETEST_ENDPOINT" envDefault:"https://gcaptcha4.geetest.com" desc:"GeeTest: address in front of /validate; http:// is accepted for loopback only."`
	GeetestScript    string `env:"GEETEST_SCRIPT" envDefault:"https://static.geetest.com/v4/gt4.js" desc:"GeeTest: address of the script for browsers; http:// is accepted for loopback only."`

	SessionIdle     time.Duration `env:"SESSION_IDLE" envDefault:"30m" desc:"Life of a session without requests."`
	SessionLifetime time.Duration `env:"SESSION_LIFETIME" envDefault:"12h" desc:"Life of a session in any case."`
	SessionRemember time.Duration `env:"SESSION_REMEMBER" envDefault:"168h" desc:"Life of a session with \"remember me\"; it does not end by idling."`

	Limits     string `env:"LIMITS" desc:"name=count/period,… over the defaults, name=off; docs/limits.md has the names."`
	LimitsMode string `env:"LIMITS_MODE" envDefault:"enforce" desc:"enforce, or record: count and log only."`

	SMSBudgetYuan Yuan   `env:"SMS_BUDGET_YUAN" envDefault:"45" desc:"Money that codes may cost in any 24 hours; the limits sms_budget_… and sms_total follow it. 0 or off sets no budget."`
	SMSPriceYuan  Prices `env:"SMS_PRICE_YUAN" envDefault:"0.045" desc:"Price of one SMS, 0.001 to 100: one for all regions, or by region such as CN=0.045,HK=0.30,*=0.60."`

	HTTPConnections int `env:"HTTP_CONNECTIONS" envDefault:"10000" desc:"Open client connections, 16 to 1000000, about 20 kB and a descriptor (ulimit -n) each."`
	HTTPInFlight    int `env:"HTTP_IN_FLIGHT" envDefault:"512" desc:"Upper bound of requests of a class in flight, 8 to 100000. See docs/operations.md."`

	PasswordParallel int `env:"PASSWORD_PARALLEL" envDefault:"2" desc:"Passwords hashed at the same time, about one per core, with some 30 MiB each."`
}

// Validate checks what the types cannot. Package captcha validates the look of captchas.
func (c API) Validate() Mistakes {
	m := c.Common.Validate()
	m = append(m, listenMistakes("HTTP_ADDR", c.HTTPAddr)...)
	m = append(m, opsMistakes(c.OpsAddr, c.OpsToken)...)
	if _, err := Origins(c.AllowedOrigins); err != nil {
		m = append(m, Mistake{"ALLOWED_ORIGINS", err.Error()})
	}
	if _, err := ReturnAddresses(c.ReturnTo); err != nil {
		m = append(m, Mistake{"RETURN_TO", err.Error()})
	}
	if err := Landing(c.Landing, c.ReturnTo); err != nil {
		m = append(m, Mistake{"LANDING", err.Error()})
	}
	if err := CookieDomain(c.CookieDomain, c.PublicURL); err != nil {
		m = append(m, Mistake{"COOKIE_DOMAIN", err.Error()})
	}
	_, err := Proxies(c.TrustedProxies)
	m = append(m, unless(err == nil, "TRUSTED_PROXIES", "want addresses or networks such as 10.0.0.0/8, no names")...)
	m = append(m, unless(c.ReportSecret == "" || validReportSecret(c.ReportSecret.Reveal()),
		"REPORT_SECRET", "want at least 16 letters, digits, - or _")...)
	if _, err := ReportKeys(c.HTTPSecret); err != nil {
		m = append(m, Mistake{"HTTP_SECRET", err.Error()})
	}
	m = append(m, c.tokenMistakes()...)
	m = append(m, oneOf("REGISTRATION", c.Registration, "either", "mobile", "email", "both")...)
	if err := signUpFields(c.SignUpFields, c.Registration); err != nil {
		m = append(m, Mistake{"SIGN_UP_FIELDS", err.Error()})
	}
	m = append(m, unless(!c.SignInCreates || c.Registration != "both",
		"SIGN_IN_CREATES", "want another USHER_REGISTRATION than both: a sign-in by code proves one contact")...)
	m = append(m, pageMistakes("TERMS_URL", c.TermsURL)...)
	m = append(m, pageMistakes("PRIVACY_URL", c.PrivacyURL)...)
	m = append(m, unless(utf8.ValidString(c.TermsVersion) && utf8.RuneCountInString(c.TermsVersion) <= 64,
		"TERMS_VERSION", "want at most 64 characters")...)
	m = append(m, unless(utf8.ValidString(c.PrivacyVersion) && utf8.RuneCountInString(c.PrivacyVersion) <= 64,
		"PRIVACY_VERSION", "want at most 64 characters")...)
	m = append(m, between("DELETE_GRACE", c.DeleteGrace, 0, 15*24*time.Hour)...)
	m = append(m, between("ACTIVATION_TTL", c.ActivationTTL, 5*time.Minute, 7*24*time.Hour)...)
	m = append(m, unless(c.UnprovedTTL >= c.ActivationTTL, "UNPROVED_TTL", "want at least ACTIVATION_TTL")...)
	if c.NumberRecheck != 0 {
		m = append(m, between("NUMBER_RECHECK", c.NumberRecheck, 30*24*time.Hour, 10*365*24*time.Hour)...)
	}
	m = append(m, between("SMS_CODE_LENGTH", c.SMSCodeLength, 4, 6)...)
	m = append(m, between("SMS_CODE_TTL", c.SMSCodeTTL, time.Minute, 30*time.Minute)...)
	m = append(m, between("SMS_CODE_ATTEMPTS", c.SMSCodeAttempts, 1, 10)...)
	m = append(m, between("EMAIL_CODE_LENGTH", c.EmailCodeLength, 6, 8)...)
	m = append(m, between("EMAIL_CODE_TTL", c.EmailCodeTTL, time.Minute, 30*time.Minute)...)
	m = append(m, between("EMAIL_CODE_RESEND_INTERVAL", c.EmailCodeResendInterval, time.Second, time.Hour)...)
	m = append(m, between("SMS_RESEND_INTERVAL", c.SMSResendInterval, time.Second, time.Hour)...)
	m = append(m, between("CAPTCHA_WORK", c.CaptchaWork, 100, 100_000)...)
	if c.CaptchaHosted != "" {
		m = append(m, oneOf("CAPTCHA_HOSTED", c.CaptchaHosted, "geetest")...)
		m = append(m, unless(c.CaptchaKind != "off", "CAPTCHA_KIND", "must not be off with CAPTCHA_HOSTED: our own captcha is shown while the vendor is unavailable")...)
	}
	m = append(m, between("CAPTCHA_TTL", c.CaptchaTTL, 30*time.Second, 30*time.Minute)...)
	m = append(m, between("SESSION_IDLE", c.SessionIdle, time.Minute, 24*time.Hour)...)
	m = append(m, between("SESSION_LIFETIME", c.SessionLifetime, time.Minute, 30*24*time.Hour)...)
	m = append(m, between("SESSION_REMEMBER", c.SessionRemember, time.Hour, 90*24*time.Hour)...)
	m = append(m, oneOf("LIMITS_MODE", c.LimitsMode, "enforce", "record")...)
	m = append(m, between("SMS_BUDGET_YUAN", c.SMSBudgetYuan, 0, 10_000_000)...)
	for _, price := range c.SMSPriceYuan {
		m = append(m, between("SMS_PRICE_YUAN", price, 0.001, 100)...)
	}
	m = append(m, between("HTTP_CONNECTIONS", c.HTTPConnections, 16, 1_000_000)...)
	m = append(m, between("HTTP_IN_FLIGHT", c.HTTPInFlight, 8, 100_000)...)
	m = append(m, between("PASSWORD_PARALLEL", c.PasswordParallel, 1, 256)...)
	return m
}

// Bounds of the audiences. A token's body has one of them.
const (
	maxAudiences = 32
	maxAudience  = 128
)

func (c API) tokenMistakes() Mistakes {
	m := unless(len(c.TokenAudiences) <= maxAudiences, "TOKEN_AUDIENCES", "want at most 32 names")
	for _, name := range c.TokenAudiences {
		visible := strings.IndexFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
		m = append(m, unless(visible && name != "" && len(name) <= maxAudience,
			"TOKEN_AUDIENCES", "want names of 1 to 128 visible ASCII characters")...)
	}
	return append(m, unless(c.TokenKeys != "" || len(c.TokenAudiences) == 0, "TOKEN_KEYS", "must be set with TOKEN_AUDIENCES")...)
}

// Proxies parses addresses and networks. IPv4 written as IPv6 becomes IPv4, as the addresses of clients do.
func Proxies(texts []string) ([]netip.Prefix, error) {
	prefixes := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		text = strings.TrimSpace(text)
		if addr, err := netip.ParseAddr(text); err == nil {
			addr = addr.WithZone("").Unmap()
			prefixes = append(prefixes, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, err
		}
		const mapped = 96 // bits in front of an IPv4 address
		if prefix.Addr().Is4In6() {
			if prefix.Bits() < mapped {
				return nil, errors.New("network of all IPv4 addresses and others")
			}
			prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-mapped)
		}
		prefixes = append(prefixes, prefix.Masked())
	}
	return prefixes, nil
}

// ReportKeys returns the keys that sign the reports of the signed HTTP sender's receiver; the zero value when there is no secret.
func ReportKeys(secret Secret) (webhooks.Keys, error) {
	if secret == "" {
		return webhooks.Keys{}, nil
	}
	return webhooks.ParseKeys(secret.Reveal())
}

// validReportSecret accepts characters that a vendor's console takes as part of a URL and that no proxy rewrites.
func validReportSecret(text string) bool {
	const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	return len(text) >= 16 && strings.Trim(text, alphabet) == ""
}

// Package smtp sends mails through one mail server, over a few connections that stay open.
//
// The library makes the mail and opens the connection (TLS, login). This package leads the dialogue of each mail itself,
// because the meaning of a failure depends on where it came: before the final dot nothing was sent, after the server's reply
// to it everything was, and in between the outcome is unknown. Where the server offers PIPELINING (RFC 2920), the commands of
// a mail go out together and their replies are read afterwards.
//
// The settings are in smtp.go. A mail goes through client.go (client and the few connections), message.go (its bytes) and conn.go
// (dial and dialogue). failure.go interprets a refusal with the tables of codes.go.
package smtp

import (
	"crypto/x509"
	"errors"
	"net/mail"
	"net/netip"
	"os"
	"regexp"
	"strings"

	"usher/config"
)

// Name is the provider's name in settings, logs and metrics.
const Name = "smtp"

// The values of SMTP_TLS.
const (
	startTLS = "starttls" // the connection turns to TLS before the password is sent, or is given up
	implicit = "implicit" // TLS from the first byte
	noTLS    = "none"     // for loopback only
)

// Config is how the mail server is reached.
type Config struct {
	Host     string        `env:"SMTP_HOST" prod:"set" desc:"Mail server, such as smtp.163.com."`
	Port     int           `env:"SMTP_PORT" desc:"Port of the mail server; by default 587, 465 or 25, as SMTP_TLS says."`
	Username string        `env:"SMTP_USERNAME" prod:"set" desc:"Login at the mail server, mostly the whole address. Empty: none."`
	Password config.Secret `env:"SMTP_PASSWORD" prod:"set" desc:"Password at the mail server; QQ and 163 call it the authorisation code."`
	HELO     string        `env:"SMTP_HELO" desc:"Name for greeting the mail server, or an address such as [192.0.2.1]. By default the machine's name if it has a dot, else the domain of MAIL_FROM."`
	TLS      string        `env:"SMTP_TLS" envDefault:"starttls" desc:"starttls, implicit, or none for a server on loopback."`
	From     string        `env:"MAIL_FROM" prod:"set" desc:"Sender of all mails, such as Usher <noreply@example.com>. Most servers want the address of the login."`
	CAFile   string        `env:"SMTP_CA_FILE" desc:"PEM file with the authorities to trust instead of the system's."`
}

// Validate returns every mistake by the name of its variable, without the prefix that all variables have.
func (c Config) Validate() config.Mistakes {
	var m config.Mistakes
	add := func(variable, text string) { m = append(m, config.Mistake{Variable: variable, Text: text}) }
	if text := hostMistake(c.host()); text != "" {
		add("SMTP_HOST", text)
	}
	if c.HELO != "" && !isHELO(c.HELO) {
		add("SMTP_HELO", "want a full host name such as usher.example.com, or an address such as [192.0.2.1]")
	}
	if c.Port < 0 || c.Port > 65535 {
		add("SMTP_PORT", "want 1 to 65535")
	}
	if (c.Username == "") != (c.Password == "") {
		add("SMTP_USERNAME", "want both SMTP_USERNAME and SMTP_PASSWORD, or neither")
	}
	switch c.TLS {
	case startTLS, implicit:
	case noTLS:
		if c.Host != "" && !config.IsLoopback(c.host()) {
			add("SMTP_TLS", "none is for loopback only")
		}
	default:
		add("SMTP_TLS", "want starttls, implicit or none")
	}
	if c.From == "" {
		add("MAIL_FROM", "must be set")
	} else if _, err := mail.ParseAddress(c.From); err != nil {
		add("MAIL_FROM", fromHelp)
	}
	if _, err := c.roots(); err != nil {
		add("SMTP_CA_FILE", err.Error())
	}
	return m
}

const fromHelp = "want one address such as Usher <noreply@example.com>"

var errCAFile = errors.New("want a readable file with certificates in PEM")

// roots returns the authorities to trust, nil for the system's.
func (c Config) roots() (*x509.CertPool, error) {
	if c.CAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, errCAFile
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errCAFile
	}
	return pool, nil
}

// hostMistake says what is wrong with the server's name or address, or "".
func hostMistake(host string) string {
	if host == "" {
		return "must be set"
	}
	if _, err := netip.ParseAddr(host); err != nil && strings.ContainsAny(host, ":[]/ ") {
		return "want a host name or address, without port: that is SMTP_PORT"
	}
	return ""
}

// host is the server's name or address. An IPv6 address may have brackets, as in a URL.
func (c Config) host() string {
	if inside, ok := strings.CutPrefix(c.Host, "["); ok {
		return strings.TrimSuffix(inside, "]")
	}
	return c.Host
}

// helo is the name in our greeting. Servers refuse a name without a dot, which containers and virtual machines mostly have.
// Then it is the domain of the sender, which is ours and has a DNS entry.
func (c Config) helo(hostname func() (string, error)) string {
	if c.HELO != "" {
		return c.HELO
	}
	if name, err := hostname(); err == nil && isFullName(name) && !strings.HasSuffix(name, ".localdomain") && !strings.HasSuffix(name, ".local") {
		return name
	}
	if from, err := mail.ParseAddress(c.From); err == nil {
		if _, domain, found := strings.Cut(from.Address, "@"); found && isFullName(domain) {
			return domain
		}
	}
	return "[127.0.0.1]"
}

// isHELO accepts what RFC 5321 does: a full name, or an address in brackets.
func isHELO(name string) bool {
	inside, open := strings.CutPrefix(name, "[")
	inside, closed := strings.CutSuffix(inside, "]")
	if open && closed {
		_, err := netip.ParseAddr(strings.TrimPrefix(inside, "IPv6:"))
		return err == nil
	}
	return isFullName(name)
}

// fullName is a name with a dot in it, of ASCII letters, digits and hyphens.
var fullName = regexp.MustCompile(`^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z0-9-]{2,63}\.?$`)

func isFullName(name string) bool {
	return len(name) <= 253 && fullName.MatchString(name)
}

func (c Config) port() int {
	switch {
	case c.Port != 0:
		return c.Port
	case c.TLS == implicit:
		return 465
	case c.TLS == noTLS:
		return 25
	default:
		return 587
	}
}

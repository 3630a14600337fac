package sandbox

import (
	"bytes"
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/mail"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

const (
	maxMailBytes  = 1 << 20
	maxRecipients = 50
	mailTimeout   = 5 * time.Minute
)

// newMailServer builds the mail server: STARTTLS, then AUTH, then mail. As at large Chinese mail
// services there is no SMTPUTF8.
func (s *Server) newMailServer(certificate tls.Certificate) *smtp.Server {
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &mailSession{server: s, conn: c}, nil
	}))
	server.Domain = "sandbox"
	server.TLSConfig = &tls.Config{
		Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12,
	}
	server.MaxMessageBytes = maxMailBytes
	server.MaxRecipients = maxRecipients
	server.ReadTimeout = mailTimeout
	server.WriteTimeout = mailTimeout
	server.ErrorLog = slog.NewLogLogger(s.config.Logger.Handler(), slog.LevelDebug)
	return server
}

// A mailSession is one dialogue. The library calls its methods one after another.
type mailSession struct {
	server     *Server
	conn       *smtp.Conn
	loggedIn   bool
	recipients []string
}

// AuthMechanisms lists what QQ and 163 offer.
func (m *mailSession) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

// Auth starts a login. Without TLS the library has refused it before.
func (m *mailSession) Auth(mechanism string) (sasl.Server, error) {
	if err := m.fault(stageAuth); err != nil {
		return nil, err
	}
	switch mechanism {
	case sasl.Plain:
		return sasl.NewPlainServer(func(identity, username, password string) error {
			if identity != "" && identity != username {
				return smtp.ErrAuthFailed
			}
			return m.login(username, password)
		}), nil
	case sasl.Login:
		return &loginServer{login: m.login}, nil
	default:
		return nil, smtp.ErrAuthUnknownMechanism
	}
}

func (m *mailSession) login(username, password string) error {
	want := m.server.config.Credentials.SMTP
	rightUser := subtle.ConstantTimeCompare([]byte(username), []byte(want.Username))
	rightPassword := subtle.ConstantTimeCompare([]byte(password), []byte(want.Password))
	if rightUser&rightPassword != 1 {
		return smtp.ErrAuthFailed
	}
	m.loggedIn = true
	return nil
}

// Mail begins a message.
func (m *mailSession) Mail(string, *smtp.MailOptions) error {
	if _, encrypted := m.conn.TLSConnectionState(); !encrypted {
		return reply(530, smtp.EnhancedCode{5, 7, 0}, "Must issue a STARTTLS command first")
	}
	if !m.loggedIn {
		return reply(530, smtp.EnhancedCode{5, 7, 0}, "Authentication required")
	}
	return m.fault(stageMail)
}

// Rcpt adds a recipient.
func (m *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := m.fault(stageRcpt); err != nil {
		return err
	}
	address, err := mail.ParseAddress(to)
	if err != nil {
		return reply(501, smtp.EnhancedCode{5, 1, 3}, "Bad address syntax")
	}
	if magic := magicForMailbox(address.Address); magic.Code != 0 && !magic.AtData {
		return reply(magic.Code, smtp.EnhancedCode{magic.Code / 100, 2, 1}, magic.Message)
	}
	m.recipients = append(m.recipients, address.Address)
	return nil
}

// Data reads the message, keeps it and answers.
func (m *mailSession) Data(r io.Reader) error {
	if m.server.tally != nil {
		return m.server.tallyMail(r, m.recipients)
	}
	fault, hit := m.server.faults.draw(vendorSMTP, func(f Fault) bool { return smtpStage(f.Code) == stageData })
	var raw bytes.Buffer // no longer than the server lets a message be
	message, err := parseMail(io.TeeReader(r, &raw))
	if tooBig := (*smtp.SMTPError)(nil); errors.As(err, &tooBig) {
		return tooBig
	}
	if err != nil {
		return reply(554, smtp.EnhancedCode{5, 6, 0}, "The message is not well formed")
	}
	if message.From == "" {
		return reply(550, smtp.EnhancedCode{5, 7, 1}, `The "From" header is missing or invalid`)
	}
	if hit && fault.refuses() {
		m.pause(fault)
		return faultReply(fault)
	}
	reset := fault.Reset
	for _, recipient := range m.recipients {
		magic := magicForMailbox(recipient)
		if magic.Code != 0 {
			return reply(magic.Code, smtp.EnhancedCode{magic.Code / 100, 0, 0}, magic.Message)
		}
		reset = reset || magic.Reset
	}
	m.server.keepMail(message, raw.Bytes(), m.recipients)
	m.pause(fault)
	switch {
	case reset:
		// The reply that follows goes to a closed connection.
		_ = m.conn.Conn().Close()
	case fault.Garbage:
		// No mail server replies so, and the client must treat the outcome as unknown.
		_, _ = m.conn.Conn().Write([]byte("\x00\x00\x00\x00\r\n"))
	}
	return nil
}

// Reset discards the current message.
func (m *mailSession) Reset() { m.recipients = nil }

// Logout ends the session.
func (m *mailSession) Logout() error { return nil }

// keepMail keeps one copy for each recipient.
func (s *Server) keepMail(message Message, raw []byte, recipients []string) {
	message.Channel, message.Provider, message.ReceivedAt = channelEmail, vendorSMTP, s.config.Now()
	records := make([]*record, len(recipients))
	for i, recipient := range recipients {
		records[i] = &record{Message: message, raw: raw}
		records[i].To = recipient
	}
	s.keep(records...)
	s.config.Logger.Info("message kept", "provider", vendorSMTP, "channel", channelEmail, "count", len(records))
}

func reply(code int, enhanced smtp.EnhancedCode, text string) *smtp.SMTPError {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: text}
}

// The commands of the dialogue that a fault can affect.
const (
	stageAuth = "AUTH"
	stageMail = "MAIL"
	stageRcpt = "RCPT"
	stageData = "DATA"
)

// smtpStage returns the command to which mail services answer with a code.
func smtpStage(code string) string {
	switch code {
	case "432", "454", "530", "534", "535", "538":
		return stageAuth
	case "421", "501", "553":
		return stageMail
	case "450", "550", "551":
		return stageRcpt
	default:
		return stageData
	}
}

// fault returns the reply of a fault that belongs to this stage, or nil.
func (m *mailSession) fault(stage string) error {
	fault, hit := m.server.faults.draw(vendorSMTP, func(f Fault) bool { return smtpStage(f.Code) == stage })
	if !hit {
		return nil
	}
	m.pause(fault)
	return faultReply(fault)
}

func faultReply(f Fault) *smtp.SMTPError {
	code, _ := strconv.Atoi(f.Code) // three digits, checked when the fault was set
	return reply(code, smtp.EnhancedCode{code / 100, 0, 0}, "The sandbox was asked to answer with this code")
}

func (m *mailSession) pause(f Fault) {
	m.server.pause(context.Background(), f.delay()) // ends when the server does
}

// A loginServer is the server side of AUTH LOGIN, which the SASL library does not have.
type loginServer struct {
	login    func(username, password string) error
	asked    bool
	username *string
}

// Next takes one response of the client and returns the next challenge.
func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case response == nil && !l.asked:
		l.asked = true
		return []byte("Username:"), false, nil
	case l.username == nil:
		l.asked = true
		l.username = new(strings.TrimSpace(string(response)))
		return []byte("Password:"), false, nil
	default:
		return nil, true, l.login(*l.username, string(response))
	}
}

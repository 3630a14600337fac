package providertest

import (
	"bufio"
	"crypto/tls"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Special replies of a [MailServer].
const (
	Default = ""       // the reply of a correct server
	HangUp  = "\x00up" // closes the connection
	Silent  = "\x00"   // no reply until the client disconnects
)

// Mail is one mail that a [MailServer] accepted.
type Mail struct {
	From, To string
	Data     string
}

// MailServer is a mail server that misbehaves where a test asks for it. It speaks STARTTLS, or TLS from the first byte, and accepts
// any password. It is safe for concurrent use.
type MailServer struct {
	Addr   string // host:port on loopback
	CAFile string // PEM file with the authority of its certificate

	tls      *tls.Config
	implicit bool
	listener net.Listener

	mu       sync.Mutex
	offers   string // more lines of the answer to EHLO in TLS
	reply    func(session int, verb string) string
	sessions int
	verbs    []string
	mails    []Mail
	conns    map[net.Conn]bool
}

// NewMailServer starts a server with STARTTLS, or with TLS from the first byte.
func NewMailServer(t testing.TB, implicit bool) *MailServer {
	t.Helper()
	donor := httptest.NewUnstartedServer(nil)
	donor.StartTLS()
	certificate := donor.Certificate()
	s := &MailServer{
		CAFile:   filepath.Join(t.TempDir(), "ca.pem"),
		reply:    func(int, string) string { return Default },
		tls:      &tls.Config{Certificates: donor.TLS.Certificates, MinVersion: tls.VersionTLS12},
		implicit: implicit,
		conns:    make(map[net.Conn]bool),
	}
	donor.Close()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
	if err := os.WriteFile(s.CAFile, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.listener, err = new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s.Addr = s.listener.Addr().String()
	var group sync.WaitGroup
	group.Go(func() { s.accept(&group) })
	t.Cleanup(func() {
		s.Stop()
		group.Wait()
	})
	return s
}

// SetReply overrides answers: verb is GREETING, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, DOT (the end of the
// mail), RSET or QUIT, and session counts connections from 1. A mail answered at DOT with anything but 250
// is still kept, as by a server whose reply is lost. DATA is refused where RCPT was. The function is called
// by one connection at a time and must not call the server.
func (s *MailServer) SetReply(reply func(session int, verb string) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reply = reply
}

// Offer adds an extension to the answer to EHLO in TLS.
func (s *MailServer) Offer(extension string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offers += "250-" + extension + "\r\n"
}

// Stop makes the server unreachable.
func (s *MailServer) Stop() {
	_ = s.listener.Close()
	s.HangUpAll()
}

// HangUpAll closes every connection from the server's side.
func (s *MailServer) HangUpAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		_ = conn.Close()
	}
}

// Sessions returns how many connections there have been.
func (s *MailServer) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions
}

// Open returns how many connections there are.
func (s *MailServer) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Mails returns the mails that came with their final dot.
func (s *MailServer) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// Saw returns how often a verb was received.
func (s *MailServer) Saw(verb string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := 0
	for _, v := range s.verbs {
		if v == verb {
			count++
		}
	}
	return count
}

func (s *MailServer) accept(group *sync.WaitGroup) {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.sessions++
		s.conns[conn] = true
		session := s.sessions
		s.mu.Unlock()
		group.Go(func() {
			defer func() {
				_ = conn.Close()
				s.mu.Lock()
				delete(s.conns, conn)
				s.mu.Unlock()
			}()
			_ = conn.SetDeadline(time.Now().Add(3 * patience)) // a test that hangs fails earlier
			d := &dialogue{server: s, session: session}
			d.secure(conn, s.implicit)
			d.run()
		})
	}
}

// dialogue is that of one connection.
type dialogue struct {
	server   *MailServer
	session  int
	conn     net.Conn
	lines    *bufio.Reader
	overTLS  bool
	envelope Mail
}

// secure takes over a connection; errors show at the first read.
func (d *dialogue) secure(conn net.Conn, overTLS bool) {
	d.conn, d.overTLS = conn, overTLS
	if overTLS {
		d.conn = tls.Server(conn, d.server.tls)
	}
	d.lines = bufio.NewReader(d.conn)
}

func (d *dialogue) run() {
	if !d.reply("GREETING", "220 mail.example.com ESMTP") {
		return
	}
	for {
		line, err := d.lines.ReadString('\n')
		if err != nil || !d.command(strings.TrimRight(line, "\r\n")) {
			return
		}
	}
}

// command answers one line and reports whether the dialogue goes on.
func (d *dialogue) command(line string) bool {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb = strings.ToUpper(verb); verb {
	case "EHLO", "HELO":
		verb = "EHLO"
		text := "250-mail.example.com\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-STARTTLS\r\n250 SIZE 1000000"
		if d.overTLS {
			text = "250-mail.example.com\r\n" + d.offers() + "250-8BITMIME\r\n250 AUTH LOGIN PLAIN XOAUTH2"
		}
		return d.reply(verb, text)
	case "STARTTLS":
		if !d.reply(verb, "220 go ahead") {
			return false
		}
		d.secure(d.conn, true)
		return true
	case "AUTH":
		return d.reply(verb, "235 2.7.0 welcome")
	case "MAIL":
		d.envelope = Mail{From: address(rest)}
		return d.reply(verb, "250 2.1.0 sender ok")
	case "RCPT":
		override := d.ask(verb)
		if override == Default {
			d.envelope.To = address(rest)
		}
		return d.say(override, "250 2.1.5 recipient ok")
	case "DATA":
		return d.data()
	case "RSET":
		return d.reply(verb, "250 2.0.0 flushed")
	case "QUIT":
		_ = d.reply(verb, "221 2.0.0 bye")
		return false
	default:
		return d.reply(verb, "502 5.5.1 not implemented")
	}
}

func (d *dialogue) data() bool {
	override := d.ask("DATA")
	if override == Default && d.envelope.To == "" {
		override = "503 5.5.1 no valid recipients"
	}
	if !d.say(override, "354 end with a dot") {
		return false
	}
	if override != Default {
		return true
	}
	var text strings.Builder
	for {
		line, err := d.lines.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			break
		}
		text.WriteString(strings.TrimPrefix(line, "."))
	}
	d.envelope.Data = text.String()
	d.server.mu.Lock()
	d.server.mails = append(d.server.mails, d.envelope)
	d.server.mu.Unlock()
	return d.reply("DOT", "250 2.0.0 Ok: queued as 4ABC-9")
}

func (d *dialogue) offers() string {
	d.server.mu.Lock()
	defer d.server.mu.Unlock()
	return d.server.offers
}

// reply sends the reply that the test has set, or else the text, and reports whether the dialogue goes on.
func (d *dialogue) reply(verb, text string) bool { return d.say(d.ask(verb), text) }

// ask records the verb and returns the reply that the test has set. One dialogue asks at a time, so that the test's function may
// count.
func (d *dialogue) ask(verb string) string {
	d.server.mu.Lock()
	defer d.server.mu.Unlock()
	d.server.verbs = append(d.server.verbs, verb)
	return d.server.reply(d.session, verb)
}

func (d *dialogue) say(override, text string) bool {
	switch override {
	case Default:
	case HangUp:
		return false
	case Silent:
		_, _ = d.lines.ReadByte() // returns when the client disconnects
		return false
	default:
		text = override
	}
	_, err := d.conn.Write([]byte(text + "\r\n"))
	return err == nil
}

// address returns the text between the angle brackets.
func address(path string) string {
	_, after, _ := strings.Cut(path, "<")
	address, _, _ := strings.Cut(after, ">")
	return address
}

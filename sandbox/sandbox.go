// Package sandbox plays Aliyun SMS, Ronglian SMS, Tencent SMS, GeeTest's captcha, a receiver of the signed HTTP sender and a
// mail server on one machine: it speaks their wire protocols, checks signatures as they do, keeps the messages and shows them in
// an inbox.
//
// It is written from the vendors' documents and imports no other package of this module, so that a client in any language can be
// tested against it. Messages are kept in memory and are not sent on.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
	"golang.org/x/sync/errgroup"
)

const (
	defaultHTTPAddr      = "127.0.0.1:8083"
	defaultSMTPAddr      = "127.0.0.1:1025"
	defaultCapacity      = 10_000
	defaultDeliveryDelay = 2 * time.Second

	// shutdownGrace is how long HTTP answers may take after the context of Run has ended.
	shutdownGrace = 3 * time.Second
)

// Config says where the sandbox listens and what it accepts. The zero value is ready to use.
type Config struct {
	// HTTPAddr is the address of the vendors' HTTP interfaces and of the inbox; empty means
	// 127.0.0.1:8083. Port 0 lets the kernel choose.
	HTTPAddr string
	// SMTPAddr is the address of the mail server; empty means 127.0.0.1:1025.
	SMTPAddr string
	// Credentials are the keys that are accepted; each empty field has its made-up default.
	Credentials Credentials
	// AliyunLimits bound messages per sign name and number; the zero value means 1, 5 and 10.
	AliyunLimits Limits
	// AliyunVerifyLimits bound messages per number of SMS authentication, beside the Interval of each request; the zero value
	// means 10 a day: the vendor tells its own ceilings in its console alone. Without any limit Interval is not checked either.
	AliyunVerifyLimits Limits
	// RonglianLimits bound messages per number; the zero value means 1 a minute and 5 a day.
	RonglianLimits Limits
	// TencentLimits bound messages per number. The zero value means 10 on a day in Beijing, none in an hour, and 1 of the same
	// content in 30 seconds, which Minute stands for.
	TencentLimits Limits
	// Capacity is how many messages are kept before the oldest is dropped; 0 means 10,000.
	Capacity int
	// Tally counts messages instead of keeping them, for measurements: no message can be read, no report exists, and the
	// signatures of Aliyun's and Tencent's sends are not checked. See GET /api/tally.
	Tally bool
	// DeliveryDelay is how long after acceptance a delivery report exists; 0 means two seconds, a negative value means at
	// once.
	DeliveryDelay time.Duration
	// Reports are where delivery reports are pushed to; see [Server.PushReports].
	Reports ReportURLs
	// ReportRetries are the waits before a push is repeated that was not accepted; nil means 1, 5 and 10 seconds.
	ReportRetries []time.Duration
	// Journal receives every kept message as one line of JSON, like those of GET /api/messages, before the
	// sender is told that it was accepted; nil writes none. See [OpenJournal].
	Journal io.Writer
	// CertificateFile keeps the certificate and key of the mail server as PEM and is created when it is missing, so that
	// clients trust the server after a restart too. Empty makes a new certificate each time.
	CertificateFile string
	// Now is the clock for signatures, limits and reports; nil means time.Now.
	Now func() time.Time
	// Logger receives one line for each kept message, without its content; nil discards.
	Logger *slog.Logger
}

// Server is a running or ready sandbox. Its methods are safe for concurrent use.
type Server struct {
	config       Config
	http         *http.Server
	httpListener net.Listener
	mail         *smtp.Server
	mailListener net.Listener
	certificate  []byte

	mailbox         *mailbox
	tally           *tally // nil while messages are kept
	faults          *faultSet
	aliyunCounts    *counter
	verifyCounts    *counter
	ronglianCounts  *counter
	tencentCounts   *counter
	tencentContents *counter
	nonces          *nonceCache
	requestIDs      *nonceCache
	webhookIDs      *nonceCache
	targets         targets
	geetest         geetestTokens

	stopOnce sync.Once
	stopped  chan struct{}
}

// Open binds both addresses and returns a server that answers once Run is called. A server that does not run must be closed.
func Open(ctx context.Context, config Config) (*Server, error) {
	config = withDefaults(config)
	if err := config.Reports.validate(); err != nil {
		return nil, err
	}
	certificate, certificatePEM, err := certificateOf(config.CertificateFile, config.SMTPAddr)
	if err != nil {
		return nil, fmt.Errorf("certificate of the mail server: %w", err)
	}
	tencent := config.TencentLimits.or(Limits{Minute: 1, Hour: -1, Day: 10})
	s := &Server{
		config:          config,
		certificate:     certificatePEM,
		mailbox:         newMailbox(config.Capacity, journalTo(config.Journal, config.Logger)),
		faults:          &faultSet{},
		aliyunCounts:    newCounter(config.AliyunLimits.or(Limits{Minute: 1, Hour: 5, Day: 10})),
		verifyCounts:    newCounter(config.AliyunVerifyLimits.or(Limits{Minute: -1, Hour: -1, Day: 10})),
		ronglianCounts:  newCounter(config.RonglianLimits.or(Limits{Minute: 1, Hour: -1, Day: 5})),
		tencentCounts:   newCounter(Limits{Minute: -1, Hour: tencent.Hour, Day: tencent.Day}),
		tencentContents: newWindow(sameContentSpan, tencent.Minute),
		nonces:          newNonceCache(2 * signatureTolerance),
		requestIDs:      newNonceCache(24 * time.Hour),
		webhookIDs:      newNonceCache(24 * time.Hour),
		stopped:         make(chan struct{}),
		targets:         targets{urls: config.Reports},
	}
	if config.Tally {
		s.tally = newTally()
	}
	var lc net.ListenConfig
	if s.httpListener, err = lc.Listen(ctx, "tcp", config.HTTPAddr); err != nil {
		return nil, fmt.Errorf("listen for http: %w", err)
	}
	if s.mailListener, err = lc.Listen(ctx, "tcp", config.SMTPAddr); err != nil {
		return nil, errors.Join(fmt.Errorf("listen for smtp: %w", err), s.httpListener.Close())
	}
	s.http = newHTTPServer(s.Handler(), config.Logger)
	s.mail = s.newMailServer(certificate)
	return s, nil
}

func withDefaults(c Config) Config {
	if c.HTTPAddr == "" {
		c.HTTPAddr = defaultHTTPAddr
	}
	if c.SMTPAddr == "" {
		c.SMTPAddr = defaultSMTPAddr
	}
	if c.Capacity <= 0 {
		c.Capacity = defaultCapacity
	}
	if c.DeliveryDelay == 0 {
		c.DeliveryDelay = defaultDeliveryDelay
	}
	if c.ReportRetries == nil {
		c.ReportRetries = pushRetries()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Credentials = c.Credentials.withDefaults()
	return c
}

func newHTTPServer(handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10, // Aliyun's parameters travel in the query
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
}

// Run serves until ctx ends. Then it closes both listeners and all mail connections, and waits for HTTP answers under way. It
// returns nil after such an end. It may be called once.
func (s *Server) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := s.http.Serve(s.httpListener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve http: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		if err := s.mail.Serve(s.mailListener); err != nil && !errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("serve smtp: %w", err)
		}
		return nil
	})
	group.Go(func() error { s.pushDue(ctx); return nil })
	group.Go(func() error {
		<-ctx.Done()
		return s.Close()
	})
	return group.Wait()
}

// Close ends the server: at once for waiting clients and mail connections, within seconds for HTTP answers under way. Further
// calls have no effect. It is not needed after a Run whose context has ended.
func (s *Server) Close() error {
	var err error
	s.stopOnce.Do(func() {
		close(s.stopped) // ends delayed answers and event streams, which Shutdown would wait for
		// The caller's context has ended by now: the grace is counted from here.
		ctx, cancel := context.WithTimeout(context.Background(), shutdownGrace)
		defer cancel()
		if httpErr := s.http.Shutdown(ctx); httpErr != nil {
			err = errors.Join(err, s.http.Close())
		}
		// Mail clients keep their connections open for minutes, so they are closed and not waited for. Listeners are closed
		// here too, because a server that never ran does not know them.
		for _, closeOne := range []func() error{s.mail.Close, s.httpListener.Close, s.mailListener.Close} {
			if closeErr := closeOne(); closeErr != nil && !errors.Is(closeErr, net.ErrClosed) {
				err = errors.Join(err, closeErr)
			}
		}
	})
	return err
}

// HTTPAddr returns the bound address of the HTTP side, such as 127.0.0.1:8083.
func (s *Server) HTTPAddr() string { return s.httpListener.Addr().String() }

// SMTPAddr returns the bound address of the mail server.
func (s *Server) SMTPAddr() string { return s.mailListener.Addr().String() }

// SMTPCA returns, as PEM, the certificate that a mail client must trust to use STARTTLS. Without a [Config].CertificateFile
// each Open makes a new one.
func (s *Server) SMTPCA() []byte { return append([]byte(nil), s.certificate...) }

// Credentials returns the keys that this sandbox accepts.
func (s *Server) Credentials() Credentials { return s.config.Credentials }

// Messages returns the kept messages, newest last. A non-empty to selects one recipient: a number in any form that the vendors
// accept, or an address in any case.
func (s *Server) Messages(to string) []Message { return s.mailbox.list(to) }

// Clear removes all kept messages. Limits and remembered ids stay as they are.
func (s *Server) Clear() {
	if s.tally != nil {
		s.tally.clear()
	}
	s.mailbox.clear()
}

// Faults returns the faults now in force, with the counts that are left.
func (s *Server) Faults() Faults { return s.faults.get() }

// SetFaults replaces all faults; the zero value ends them. The error names the first mistake.
func (s *Server) SetFaults(f Faults) error { return s.faults.set(f) }

package prove_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"usher/internal/testclient"
	"usher/internal/testkit"
	"usher/providers/providertest"
)

// Row 30: a mail server refuses the login. The outage is noticed at once, causes a handful of logins, and loses no mail.
func TestRow30_mail_outage_is_seen_and_loses_nothing(t *testing.T) {
	t.Parallel()
	r := newRow(t, 30, "a mail server that refuses the login, while people register")
	const mails = 23
	server := providertest.NewMailServer(t, false)
	var repaired atomic.Bool
	server.SetReply(func(_ int, verb string) string {
		if verb == "AUTH" && !repaired.Load() {
			return "535 5.7.8 Error: authentication failed"
		}
		return providertest.Default
	})
	d := newDeployment(t, plan{apis: 1, sms: 1, email: 1})
	d.environ["USHER_SMTP_CA_FILE"], d.at.SMTP = server.CAFile, server.Addr
	d.up(d.names...)

	began := time.Now()
	var seen time.Duration
	for i := range mails {
		d.people()[0].Register(testclient.Journey{
			Username: fmt.Sprint("member_", i), Password: longPassword, Mobile: fmt.Sprint(13810000000 + i), Email: fmt.Sprintf("p%d@example.com", i),
		})
		if i == 0 {
			testkit.Eventually(t, patience, func() bool {
				return strings.Contains(d.metrics(t, "email1"), `usher_mail_outage{provider="smtp",reason="login_refused"} 1`)
			}, "the outage is shown with its reason")
			seen = time.Since(began)
		}
	}
	until := began.Add(size(10*time.Second, time.Minute))
	time.Sleep(time.Until(until)) //nolint:forbidigo // the logins of a span are counted
	logins, span := server.Saw("AUTH"), time.Since(began)

	repaired.Store(true)
	d.signal("email1", syscall.SIGHUP) // as after a new password in a file
	began = time.Now()
	testkit.Eventually(t, patience, func() bool { return len(server.Mails()) >= mails }, "all mails have left")
	left := time.Since(began)
	d.drain()
	r.tried("%d registrations beside a refused login, %v", mails, span.Round(time.Second))
	r.within("seen, registration included", seen, size(30*time.Second, 15*time.Second))
	r.atMost("logins", logins, 2) // one that opens the breaker, and a probe after 30 s
	r.within("all have left after the repair", left, promisedAgain())
	r.exactly("mails lost or doubled", len(server.Mails())-mails, 0)
}

// metrics returns what a program shows on its operations port.
func (d *deployment) metrics(t *testing.T, name string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+d.parts[name].addr+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return ""
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return string(text)
}

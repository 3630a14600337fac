package prove_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usher/config"
	"usher/contact"
	"usher/internal/testkit"
	"usher/providers"
	"usher/providers/aliyun"
	"usher/providers/ronglian"
	"usher/providers/smtp"
	"usher/providers/tencent"
)

// said is a vendor that says what it is told.
type said struct {
	status int
	body   string
}

func (s said) RoundTrip(request *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: s.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(s.body)), Request: request,
	}, nil
}

func anyStatus(random *rand.Rand) int {
	return []int{200, 200, 200, 204, 302, 400, 403, 429, 500, 503, 999}[random.IntN(11)]
}

func anSMS(t testing.TB) providers.SMS {
	t.Helper()
	mobile, err := contact.ParseMobile("13912345678")
	if err != nil {
		t.Fatal(err)
	}
	return providers.SMS{ID: "a-message-id", Attempt: 1, To: mobile, Code: "796025", TTL: 5 * time.Minute}
}

// judgeID looks for the number in what is kept of an accepted SMS.
func judgeID(t testing.TB, s said, receipt providers.Receipt, number string) {
	t.Helper()
	if strings.Contains(receipt.ID, number) {
		t.Errorf("%d %q: the number shows in the id %q", s.status, s.body, receipt.ID)
	}
}

// judgeAnswer holds what a client makes of an answer against what all clients promise.
func judgeAnswer(t testing.TB, s said, receipt providers.Receipt, err error, private ...string) {
	t.Helper()
	failure, isFailure := errors.AsType[*providers.Error](err)
	switch {
	case err == nil && (s.status/100 != 2 || len(receipt.ID) > 64):
		t.Errorf("%d %q is taken for acceptance with id %q", s.status, s.body, receipt.ID)
	case err != nil && (!isFailure || len(failure.Code) > 64):
		t.Errorf("%d %q: %v", s.status, s.body, err)
	}
	for _, secret := range private {
		testkit.Conditions(t, fmt.Sprintf("%d %q, %v: %s", s.status, s.body, err, secret), map[string]bool{
			"it is not in the error":   err == nil || !strings.Contains(err.Error(), secret),
			"it is not in the receipt": !strings.Contains(receipt.ID, secret) || strings.Contains(s.body, secret),
		})
	}
}

// smsAnswers reads texts as the answers of a vendor of SMS. Open returns a client with the transport, whose own type further
// needs to ask for other things than a send; private are the client's keys.
func smsAnswers[C providers.SMSSender](
	t testing.TB, open func(*http.Client) (C, error), further func(testing.TB, C, providers.SMS, string), corpora, private []string,
) reader {
	t.Helper()
	sms := anSMS(t)
	return reader{
		corpora: corpora,
		part:    5, // each is signed
		check: func(t testing.TB, random *rand.Rand, text string) {
			t.Helper()
			answer := said{anyStatus(random), text}
			client, err := open(&http.Client{Transport: answer})
			if err != nil {
				t.Fatal(err)
			}
			receipt, err := client.SendSMS(t.Context(), sms)
			judgeAnswer(t, answer, receipt, err, append([]string{sms.To.Reveal(), sms.Code}, private...)...)
			judgeID(t, answer, receipt, sms.To.Reveal())
			if further != nil {
				further(t, client, sms, text)
			}
		},
	}
}

// judgeQuery asks about the SMS and holds the result against what all clients promise.
func judgeQuery(t testing.TB, client providers.Querier, sms providers.SMS, text string, private ...string) {
	t.Helper()
	result, err := client.QuerySMS(t.Context(), providers.Query{ID: sms.ID, To: sms.To, SentAt: time.Now()})
	if result.Refusal != nil {
		err = result.Refusal
	}
	judgeAnswer(t, said{200, text}, providers.Receipt{}, err, append([]string{sms.To.Reveal()}, private...)...)
}

// judgePull asks for reports and holds them against what all clients promise.
func judgePull(t testing.TB, client providers.Puller, text string, private ...string) {
	t.Helper()
	batch, err := client.Pull(t.Context())
	judgeAnswer(t, said{200, text}, providers.Receipt{}, err, private...)
	if err != nil && len(batch.Reports) > 0 {
		t.Errorf("%q: reports and %v", text, err)
	}
}

func aliyunAnswers(t testing.TB) reader {
	t.Helper()
	private := []string{"kEy4u7Wn", "sEcr9q2Tb"}
	cfg := aliyun.Config{
		Keys:     aliyun.Keys{AccessKeyID: "kEy4u7Wn", AccessKeySecret: "sEcr9q2Tb"},
		SignName: "签名", TemplateCode: "SMS_1", TemplateParam: "code", Endpoint: "https://vendor.example",
	}
	open := func(transport *http.Client) (*aliyun.Client, error) {
		client, err := aliyun.New(cfg)
		if err == nil {
			client.HTTP = transport
		}
		return client, err
	}
	further := func(t testing.TB, client *aliyun.Client, sms providers.SMS, text string) {
		t.Helper()
		judgeQuery(t, client, sms, text, private...)
		_, err := client.CheckSigns(t.Context())
		judgeAnswer(t, said{200, text}, providers.Receipt{}, err, private...)
	}
	return smsAnswers(t, open, further, []string{
		"providers/aliyun/testdata/fuzz/FuzzClient_receipt", "providers/aliyun/testdata/fuzz/FuzzClient_QuerySMS",
		"providers/aliyun/testdata/fuzz/FuzzClient_CheckSigns",
	}, private)
}

func aliyunVerifyAnswers(t testing.TB) reader {
	t.Helper()
	cfg := aliyun.VerifyConfig{
		Keys:     aliyun.Keys{AccessKeyID: "kEy4u7Wn", AccessKeySecret: "sEcr9q2Tb"},
		SignName: "签名", TemplateCode: "100001", Endpoint: "https://vendor.example",
	}
	open := func(transport *http.Client) (*aliyun.VerifyClient, error) {
		client, err := aliyun.NewVerify(cfg)
		if err == nil {
			client.HTTP = transport
		}
		return client, err
	}
	return smsAnswers(t, open, nil, []string{"providers/aliyun/testdata/fuzz/FuzzVerifyClient_receipt"}, []string{"kEy4u7Wn", "sEcr9q2Tb"})
}

func tencentAnswers(t testing.TB) reader {
	t.Helper()
	private := []string{"sId8w3Hp", "kEy4u7Wn"}
	cfg := tencent.Config{
		SecretID: "sId8w3Hp", SecretKey: "kEy4u7Wn", SDKAppID: "1", SignName: "签名", TemplateID: "1", TemplateParams: []string{"code"},
		Region: "ap-guangzhou", Endpoint: "https://vendor.example",
	}
	open := func(transport *http.Client) (*tencent.Client, error) {
		client, err := tencent.New(cfg)
		if err == nil {
			client.HTTP = transport
		}
		return client, err
	}
	further := func(t testing.TB, client *tencent.Client, sms providers.SMS, text string) {
		t.Helper()
		judgeQuery(t, client, sms, text, private...)
		judgePull(t, tencent.Puller{Client: client}, text, private...)
	}
	return smsAnswers(t, open, further, []string{
		"providers/tencent/testdata/fuzz/FuzzClient_receipt", "providers/tencent/testdata/fuzz/FuzzClient_QuerySMS",
		"providers/tencent/testdata/fuzz/FuzzClient_Pull",
	}, private)
}

func ronglianAnswers(t testing.TB) reader {
	t.Helper()
	private := []string{"sId8w3Hp", "tOk5x1Rv"}
	cfg := ronglian.Config{
		AccountSID: "sId8w3Hp", AuthToken: "tOk5x1Rv", AppID: "app", TemplateID: "1", TemplateParams: []string{"code", "minutes"},
		Endpoint: "https://vendor.example",
	}
	open := func(transport *http.Client) (*ronglian.Client, error) {
		client, err := ronglian.New(cfg)
		if err == nil {
			client.HTTP = transport
		}
		return client, err
	}
	further := func(t testing.TB, client *ronglian.Client, _ providers.SMS, text string) {
		t.Helper()
		judgePull(t, client, text, private...)
	}
	return smsAnswers(t, open, further, []string{
		"providers/ronglian/testdata/fuzz/FuzzClient_receipt", "providers/ronglian/testdata/fuzz/FuzzClient_Pull",
	}, private)
}

// dialogue is a mail server that sends a whole text to each client and ignores its commands.
type dialogue struct {
	net.Listener

	text atomic.Pointer[string]
}

func (d *dialogue) serve() {
	for {
		conn, err := d.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(answerTime))
			_, _ = io.WriteString(conn, *d.text.Load())
			_ = conn.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, conn) // until the client leaves
		}()
	}
}

func smtpReplies(t testing.TB) reader {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dialogue{Listener: listener}
	t.Cleanup(func() { _ = server.Close() })
	go server.serve()
	to, err := contact.ParseEmail("hai.ma@example.com")
	if err != nil {
		t.Fatal(err)
	}
	mail := providers.Email{MessageID: "id@example.com", To: to, Subject: "subject", Text: "text", HTML: "<p>text</p>"}
	cfg := smtp.Config{
		Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, Username: "login@example.com",
		Password: config.Secret("pAss6y0Gd"), TLS: "none", From: "login@example.com",
	}
	return reader{
		corpora: []string{"providers/smtp/testdata/fuzz/FuzzClient_SendEmail"},
		part:    size(10, 50), // each is a connection
		check: func(t testing.TB, _ *rand.Rand, text string) {
			t.Helper()
			server.text.Store(&text)
			client, err := smtp.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), answerTime)
			defer cancel()
			receipt, err := client.SendEmail(ctx, mail)
			_ = client.Close()
			if ctx.Err() != nil {
				t.Errorf("%q takes longer than %v", text, answerTime)
			}
			judgeAnswer(t, said{200, text}, receipt, err, "hai.ma", "pAss6y0Gd")
		},
	}
}

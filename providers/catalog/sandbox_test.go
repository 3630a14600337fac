package catalog_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usher/contact"
	"usher/internal/testkit"
	"usher/messages"
	"usher/providers"
	"usher/providers/catalog"
	"usher/providers/providertest"
	"usher/sandbox"
)

// startSandbox runs the sandbox and returns it with the settings that point every provider at it.
func startSandbox(t *testing.T) (*sandbox.Server, map[string]string) {
	t.Helper()
	box, err := sandbox.Open(t.Context(), sandbox.Config{HTTPAddr: "127.0.0.1:0", SMTPAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- box.Run(t.Context()) }()
	t.Cleanup(func() { // the context has ended by now
		if err := <-done; err != nil {
			t.Errorf("sandbox: %v", err)
		}
	})
	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, box.SMTPCA(), 0o600); err != nil {
		t.Fatal(err)
	}
	return box, box.Settings(authority)
}

func smsTo(t *testing.T, number string) providers.SMS {
	t.Helper()
	to, err := contact.ParseMobile(number)
	if err != nil {
		t.Fatal(err)
	}
	return providers.SMS{ID: "message-" + number, Attempt: 1, To: to, Code: "012345", TTL: 5 * time.Minute}
}

func TestSMS_throughTheSandbox(t *testing.T) {
	t.Parallel()
	box, environ := startSandbox(t)
	senders, err := catalog.SMS([]string{"aliyun", "aliyun_verify", "ronglian", "tencent", "http"}, environ)
	if err != nil {
		t.Fatal(err)
	}
	for i, sender := range senders {
		t.Run(sender.Name(), func(t *testing.T) {
			t.Parallel()
			number := fmt.Sprintf("1381380000%d", i)
			receipt, err := sender.SendSMS(t.Context(), smsTo(t, number))
			if err != nil || receipt.Provider != sender.Name() || receipt.ID == "" {
				t.Fatalf("got %+v, %v; want a receipt", receipt, err)
			}
			got := box.Messages(number)
			if len(got) != 1 || got[0].Provider != sender.Name() || got[0].Code != "012345" {
				t.Errorf("got messages %+v, want one with the code", got)
			}
			for ending, want := range map[string]providers.Kind{
				"990003": providers.Unknown, "990004": providers.Temporary, "990005": providers.Rejected,
				"990006": providers.RateLimited, "990007": providers.Misconfigured, "990008": providers.Rejected,
			} {
				_, err := sender.SendSMS(t.Context(), smsTo(t, fmt.Sprintf("1391%d", i)+ending))
				if err == nil || providers.KindOf(err) != want {
					t.Errorf("ending %s: got %v, want %v", ending, err, want)
				}
			}
		})
	}
}

// TestSMS_names_the_product checks that each vendor gets the name in the variable, or the field, of the settings, in probes too, and
// that nothing is said without a setting.
func TestSMS_names_the_product(t *testing.T) {
	t.Parallel()
	box, environ := startSandbox(t)
	names := []string{"aliyun", "ronglian", "tencent", "http"}
	for round, names := range [][]string{names, names} {
		if round == 1 {
			environ["USHER_ALIYUN_TEMPLATE_PARAM_PRODUCT"], environ["USHER_BRAND"] = "product", "brand"
			environ["USHER_RONGLIAN_TEMPLATE_PARAMS"] = "product,code,minutes"
			environ["USHER_TENCENT_TEMPLATE_PARAMS"], environ["USHER_TENCENT_TEMPLATE_ID"] = "code,minutes,product", "71990003"
		}
		senders, err := catalog.SMS(names, environ)
		if err != nil {
			t.Fatal(err)
		}
		for i, sender := range senders {
			sms := smsTo(t, fmt.Sprintf("138138001%d%d", round, i))
			if sms.Product = "示例商城"; round == 0 && sender.Name() == "http" {
				sms.Product = "" // the receiver is told a name as soon as there is one
			}
			if _, err := sender.SendSMS(t.Context(), sms); err != nil {
				t.Errorf("%s: %v", sender.Name(), err)
				continue
			}
			got := box.Messages(sms.To.Reveal())
			if len(got) != 1 || got[0].Code != sms.Code || strings.Contains(got[0].Text, "示例商城") != (round == 1) {
				t.Errorf("%s, round %d: got %+v", sender.Name(), round, got)
			}
			if err := sender.(providers.Prober).Probe(t.Context()); err != nil {
				t.Errorf("%s: %v", sender.Name(), err)
			}
		}
	}
}

// TestSMS_resendAfterALostAnswer checks the vendors that can tell a resend.
func TestSMS_resendAfterALostAnswer(t *testing.T) {
	t.Parallel()
	box, environ := startSandbox(t)
	lost := &sandbox.Fault{Reset: true, Count: 1}
	if err := box.SetFaults(sandbox.Faults{Ronglian: lost, HTTP: lost}); err != nil {
		t.Fatal(err)
	}
	for name, number := range map[string]string{"ronglian": "13813800009", "http": "13813800008"} {
		senders, err := catalog.SMS([]string{name}, environ)
		if err != nil {
			t.Fatal(err)
		}
		sms := smsTo(t, number)
		if _, err := senders[0].SendSMS(t.Context(), sms); err == nil || providers.KindOf(err) != providers.Unknown {
			t.Fatalf("%s: got %v, want unknown", name, err)
		}
		sms.Attempt = 2
		if _, err := senders[0].SendSMS(t.Context(), sms); err != nil {
			t.Errorf("%s: got %v, want the first attempt found accepted", name, err)
		}
		if got := box.Messages(number); len(got) != 1 {
			t.Errorf("%s: got %d messages, want 1", name, len(got))
		}
	}
}

// TestSMS_of_the_signed_sender_during_a_rotation: the receiver has either secret.
func TestSMS_of_the_signed_sender_during_a_rotation(t *testing.T) {
	t.Parallel()
	box, environ := startSandbox(t)
	const other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	known := environ["USHER_HTTP_SECRET"]
	for i, secrets := range []string{known + "," + other, other + "," + known} {
		environ["USHER_HTTP_SECRET"] = secrets
		senders, err := catalog.SMS([]string{"http"}, environ)
		if err != nil {
			t.Fatal(err)
		}
		number := fmt.Sprintf("1381380001%d", i)
		if _, err := senders[0].SendSMS(t.Context(), smsTo(t, number)); err != nil || len(box.Messages(number)) != 1 {
			t.Errorf("%v, %d messages", err, len(box.Messages(number)))
		}
	}
}

// TestSMS_of_the_signed_sender_asked_after_a_lost_answer: the receiver answers queries.
func TestSMS_of_the_signed_sender_asked_after_a_lost_answer(t *testing.T) {
	t.Parallel()
	box, environ := startSandbox(t)
	senders, err := catalog.SMS([]string{"http", "aliyun"}, environ)
	if err != nil {
		t.Fatal(err)
	}
	logger, _ := testkit.Logger(t)
	router := &providers.Router{Senders: senders, Logger: logger}
	sms, start := smsTo(t, "13813990003"), time.Now()
	if _, err := router.SendSMS(t.Context(), sms); err == nil || providers.KindOf(err) != providers.Unknown {
		t.Fatalf("got %v, want unknown", err)
	}
	sms.Attempt, sms.Unresolved = 2, &providers.Unresolved{Provider: "http", At: start}
	if receipt, err := router.SendSMS(t.Context(), sms); err != nil || receipt.Provider != "http" {
		t.Errorf("got %+v, %v, want the first attempt found", receipt, err)
	}
	if got := box.Messages(sms.To.Reveal()); len(got) != 1 {
		t.Errorf("got %d messages, want 1", len(got))
	}
}

// TestSMS_askedAfterALostAnswer checks the vendor that can be asked for the outcome of a message.
func TestSMS_askedAfterALostAnswer(t *testing.T) {
	t.Parallel()
	box, environ := startSandbox(t)
	senders, err := catalog.SMS([]string{"aliyun", "ronglian"}, environ)
	if err != nil {
		t.Fatal(err)
	}
	logger, _ := testkit.Logger(t)
	router := &providers.Router{Senders: senders, Logger: logger}
	sms, start := smsTo(t, "13813990003"), time.Now()
	if _, err := router.SendSMS(t.Context(), sms); err == nil || providers.KindOf(err) != providers.Unknown {
		t.Fatalf("got %v, want unknown", err)
	}
	sms.Attempt, sms.Unresolved = 2, &providers.Unresolved{Provider: "aliyun", At: start}
	if receipt, err := router.SendSMS(t.Context(), sms); err != nil || receipt.Provider != "aliyun" {
		t.Errorf("got %+v, %v, want the first attempt found", receipt, err)
	}
	if got := box.Messages(sms.To.Reveal()); len(got) != 1 {
		t.Errorf("got %d messages, want 1", len(got))
	}

	lost := smsTo(t, "13813800010") // never arrived
	lost.Attempt, lost.Unresolved = 2, &providers.Unresolved{Provider: "aliyun", At: start}
	if _, err := router.SendSMS(t.Context(), lost); err == nil || providers.KindOf(err) != providers.Temporary {
		t.Errorf("got %v, want it to wait", err)
	}
	lost.Unresolved.At = start.Add(-time.Minute)
	if receipt, err := router.SendSMS(t.Context(), lost); err != nil || receipt.Provider != "ronglian" {
		t.Errorf("got %+v, %v, want it sent by the other vendor", receipt, err)
	}
	if got := box.Messages(lost.To.Reveal()); len(got) != 1 {
		t.Errorf("got %d messages, want 1", len(got))
	}
}

// TestSMS_askedByNumber checks the vendor whose list has only messages with a report, without our ids.
func TestSMS_askedByNumber(t *testing.T) {
	t.Parallel()
	box, environ := startSandbox(t)
	senders, err := catalog.SMS([]string{"tencent"}, environ)
	if err != nil {
		t.Fatal(err)
	}
	querier := senders[0].(providers.Querier)
	ask := func(number string) (providers.QueryResult, error) {
		return querier.QuerySMS(t.Context(), providers.Query{
			ID: "message-" + number, To: smsTo(t, number).To, SentAt: time.Now().Add(-time.Second),
		})
	}
	if err := box.SetFaults(sandbox.Faults{Tencent: &sandbox.Fault{Reset: true, Count: 2}}); err != nil {
		t.Fatal(err)
	}
	for number, want := range map[string]messages.State{"13813800020": messages.Delivered, "13813990001": messages.Undelivered} {
		if _, err := senders[0].SendSMS(t.Context(), smsTo(t, number)); err == nil || providers.KindOf(err) != providers.Unknown {
			t.Fatalf("got %v, want unknown", err)
		}
		testkit.Eventually(t, 20*time.Second, func() bool {
			result, err := ask(number)
			if err != nil && providers.KindOf(err) != providers.Unknown {
				t.Errorf("got %v", err)
			}
			return result.State == want
		}, "%s: it is not %s", number, want)
	}
	if result, err := ask("13813800021"); err == nil || result != (providers.QueryResult{}) {
		t.Errorf("a message that was never sent: %+v, %v, want that nothing is known", result, err)
	}
}

func TestSMS_checkTemplates(t *testing.T) {
	t.Parallel()
	box, environ := startSandbox(t)
	check := func() error {
		senders, err := catalog.SMS([]string{"aliyun"}, environ)
		if err != nil {
			t.Fatal(err)
		}
		return senders[0].(providers.TemplateChecker).CheckTemplates(t.Context())
	}
	if err := check(); err != nil {
		t.Errorf("approved templates: %v", err)
	}
	environ["USHER_ALIYUN_TEMPLATE_CODE_LOGIN"] = "SMS_990001"
	environ["USHER_ALIYUN_TEMPLATE_CODE_REGISTER"] = "SMS_990002"
	err := check()
	if !errors.Is(err, providers.ErrTemplate) || !strings.Contains(err.Error(), "SMS_990001 is still being audited, SMS_990002 was refused") {
		t.Errorf("templates that are not approved: %v", err)
	}
	environ["USHER_ALIYUN_ACCESS_KEY_SECRET"] = "wrong"
	if err := check(); err == nil || errors.Is(err, providers.ErrTemplate) {
		t.Errorf("a wrong key: %v", err)
	}
	if got := box.Messages(""); len(got) != 0 {
		t.Errorf("%d messages were sent", len(got))
	}
}

func TestSMS_probe(t *testing.T) {
	t.Parallel()
	box, environ := startSandbox(t)
	senders, err := catalog.SMS([]string{"aliyun", "aliyun_verify", "ronglian", "tencent", "http"}, environ)
	if err != nil {
		t.Fatal(err)
	}
	for _, sender := range senders {
		prober, ok := sender.(providers.Prober)
		if !ok {
			t.Errorf("%s can only be tried with a message", sender.Name())
			continue
		}
		if err := prober.Probe(t.Context()); err != nil {
			t.Errorf("%s: %v while all is well", sender.Name(), err)
		}
	}
	broken := &sandbox.Fault{Status: 500}
	if err := box.SetFaults(sandbox.Faults{Aliyun: broken, AliyunVerify: broken, Ronglian: broken, Tencent: broken, HTTP: broken}); err != nil {
		t.Fatal(err)
	}
	for _, sender := range senders {
		if err := sender.(providers.Prober).Probe(t.Context()); err == nil {
			t.Errorf("%s: well while it answers 500 to all sends", sender.Name())
		}
	}
	if got := box.Messages(""); len(got) != 0 {
		t.Errorf("probes sent %d messages", len(got))
	}
}

func TestSMS_wrongKey(t *testing.T) {
	t.Parallel()
	_, environ := startSandbox(t)
	environ["USHER_ALIYUN_ACCESS_KEY_SECRET"] = "wrong"
	environ["USHER_RONGLIAN_AUTH_TOKEN"] = "0123456789abcdef"
	environ["USHER_TENCENT_SECRET_KEY"] = "wrong"
	environ["USHER_HTTP_SECRET"] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	senders, err := catalog.SMS([]string{"aliyun", "aliyun_verify", "ronglian", "tencent", "http"}, environ)
	if err != nil {
		t.Fatal(err)
	}
	for _, sender := range senders {
		_, err := sender.SendSMS(t.Context(), smsTo(t, "13813800000"))
		if err == nil || providers.KindOf(err) != providers.Misconfigured {
			t.Errorf("%s: got %v, want misconfigured", sender.Name(), err)
		}
	}
}

func TestEmail_throughTheSandbox(t *testing.T) {
	t.Parallel()
	box, environ := startSandbox(t)
	sender, err := catalog.Email(environ)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sender.Close() })
	email := providertest.Email(t)
	if _, err := sender.SendEmail(t.Context(), email); err != nil {
		t.Fatal(err)
	}
	got := box.Messages(email.To.Reveal())
	if len(got) != 1 || got[0].Subject != email.Subject || !strings.Contains(got[0].HTML, email.HTML) ||
		len(got[0].Links) != 1 {
		t.Errorf("got messages %+v, want one as it was sent", got)
	}
	for local, want := range map[string]providers.Kind{
		"a+450": providers.Temporary, "a+550": providers.Rejected, "a+451": providers.Temporary,
		"a+554": providers.Rejected, "a+reset": providers.Unknown,
	} {
		to, err := contact.ParseEmail(local + "@example.com")
		if err != nil {
			t.Fatal(err)
		}
		email.To = to
		if _, err := sender.SendEmail(t.Context(), email); err == nil || providers.KindOf(err) != want {
			t.Errorf("%s: got %v, want %v", local, err, want)
		}
	}
}

func TestEmail_wrongPassword(t *testing.T) {
	t.Parallel()
	_, environ := startSandbox(t)
	environ["USHER_SMTP_PASSWORD"] = "wrong"
	sender, err := catalog.Email(environ)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sender.Close() })
	_, err = sender.SendEmail(t.Context(), providertest.Email(t))
	if err == nil || providers.KindOf(err) != providers.Misconfigured {
		t.Errorf("got %v, want misconfigured", err)
	}
}

package prove_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"

	"usher/accounts"
	"usher/config"
	"usher/contact"
	"usher/internal/testkit"
	"usher/limits"
	"usher/messages"
	"usher/providers"
	"usher/reports"
	"usher/secrets"
	"usher/store/redisconn"
	"usher/tasks"
)

func mobiles() reader {
	return reader{corpora: []string{"contact/testdata/fuzz/FuzzParseMobile"}, check: func(t testing.TB, _ *rand.Rand, text string) {
		t.Helper()
		m, err := contact.ParseMobile(text)
		if err != nil {
			return
		}
		again, err := contact.ParseMobile(m.Reveal())
		testkit.Conditions(t, fmt.Sprintf("%q is %q, and that is %q, %v", text, m.Reveal(), again.Reveal(), err), map[string]bool{
			"it reads back as itself": err == nil && again == m,
			"it has 11 digits":        len(m.Reveal()) == 11,
		})
	}}
}

func emails() reader {
	return reader{corpora: []string{"contact/testdata/fuzz/FuzzParseEmail"}, check: func(t testing.TB, _ *rand.Rand, text string) {
		t.Helper()
		e, err := contact.ParseEmail(text)
		if err != nil {
			return
		}
		again, err := contact.ParseEmail(e.Reveal())
		testkit.Conditions(t, fmt.Sprintf("%q is %q, and that is %q, %v", text, e.Reveal(), again.Reveal(), err), map[string]bool{
			"it reads back as itself":         err == nil && again == e,
			"it has no character of a header": !strings.ContainsAny(e.Reveal(), "\r\n\x00 ,;<>"),
			"it has one @":                    strings.Count(e.Reveal(), "@") == 1,
		})
	}}
}

func usernames() reader {
	return reader{corpora: []string{"accounts/testdata/fuzz/FuzzCanonicalUsername"}, check: func(t testing.TB, _ *rand.Rand, text string) {
		t.Helper()
		shown, canonical, ok := accounts.CanonicalUsername(text)
		if !ok {
			return
		}
		again, same, ok := accounts.CanonicalUsername(shown)
		testkit.Conditions(t, fmt.Sprintf("%q is %q, and that is %q, %q, %v", text, shown, again, same, ok), map[string]bool{
			"it reads back as itself":       ok && again == shown && same == canonical,
			"its form is UTF-8":             utf8.ValidString(canonical),
			"its form has no @, space, NUL": !strings.ContainsAny(canonical, "@ \x00"),
		})
		if _, same, ok := accounts.CanonicalUsername(canonical); ok && same != canonical {
			t.Errorf("%q is compared as %q, and that as %q", text, canonical, same)
		}
	}}
}

func limitSettings() reader {
	return reader{corpora: []string{"limits/testdata/fuzz/FuzzParse"}, check: func(t testing.TB, _ *rand.Rand, text string) {
		t.Helper()
		set, err := limits.Defaults().Parse(text)
		if err != nil {
			return
		}
		for name, limit := range set {
			testkit.Conditions(t, fmt.Sprintf("%q sets %s to %+v", text, name, limit), map[string]bool{
				"the count is not negative":              limit.Count >= 0,
				"the period is from a second to 31 days": limit.Period >= time.Second && limit.Period <= 31*24*time.Hour,
				"the percentage is from 0 to 100":        limit.Percent >= 0 && limit.Percent <= 100,
			})
		}
	}}
}

// urlSettings reads addresses in every place where a setting has one. Errors are shown to operators, and must not
// quote what may hold a password.
func urlSettings() reader {
	const mark = "hunter2hunter2"
	return reader{
		corpora: []string{"config/testdata/fuzz/FuzzPublicURL", "config/testdata/fuzz/FuzzProxies", "store/redisconn/testdata/fuzz/FuzzOpen"},
		part:    5, // each makes a client
		check: func(t testing.TB, _ *rand.Rand, text string) {
			t.Helper()
			if u, err := config.PublicURL(text); err == nil {
				again, err := config.PublicURL(u.String())
				testkit.Conditions(t, fmt.Sprintf("%q is %q, and that is %v, %v", text, u, again, err), map[string]bool{
					"it reads back as itself": err == nil && again.String() == u.String(),
					"it has a host":           u.Host != "",
					"it has no password":      u.User == nil,
				})
			}
			if prefixes, err := config.Proxies([]string{text}); err == nil && !prefixes[0].IsValid() {
				t.Errorf("%q is a proxy", text)
			}
			client, err := redisconn.Open(text, redisconn.Settings{})
			if err == nil {
				_ = client.Close()
			} else if strings.Contains(err.Error(), mark) {
				t.Errorf("%q is quoted: %v", text, err)
			}
		},
	}
}

func pushedReports() reader {
	return reader{corpora: []string{"reports/testdata/fuzz/FuzzParse"}, check: func(t testing.TB, _ *rand.Rand, text string) {
		t.Helper()
		for _, provider := range []string{reports.Aliyun, reports.AliyunVerify, reports.Ronglian, reports.Tencent} {
			format, _ := reports.FormatOf(provider)
			batch, err := format.Parse([]byte(text))
			if err != nil && len(batch.Reports) > 0 {
				t.Errorf("%q: reports and %v", text, err)
			}
			for _, report := range batch.Reports {
				all := report.MessageID + report.ProviderID + report.Code
				testkit.Conditions(t, fmt.Sprintf("%q: %+v", text, report), map[string]bool{
					"it names a message":             report.MessageID != "",
					"its ids and code are short":     len(all) <= 160,
					"they have no braces and blanks": !strings.ContainsAny(all, "{}\r\n \x00"),
				})
			}
		}
	}}
}

// nothing is a claim of every message and a sender of none.
type nothing struct {
	t    testing.TB
	to   string // the only receiver that may get a message
	text string
}

func (n nothing) Claim(_ context.Context, id string, lease time.Duration) (messages.Claim, error) {
	return messages.Claim{ID: id, Attempt: 1, LeaseUntil: time.Now().Add(lease)}, nil
}

func (n nothing) Record(context.Context, messages.Claim, messages.Outcome) error { return nil }

func (n nothing) Name() string { return "none" }

func (n nothing) SendSMS(_ context.Context, sms providers.SMS) (providers.Receipt, error) {
	if sms.To.Reveal() != n.to || len(sms.Code) < 4 {
		n.t.Errorf("%q sends %d digits to %s", n.text, len(sms.Code), sms.To.Reveal())
	}
	return providers.Receipt{Provider: "none"}, nil
}

// noMails has no mail of any id.
type noMails struct{ nothing }

func (n noMails) Claim(context.Context, string, time.Duration) (accounts.ClaimedMail, error) {
	return accounts.ClaimedMail{}, messages.ErrNotFound
}

// taskPayloads works mutated tasks: the seal is bound to the id, so no mutation reaches another number.
func taskPayloads(t testing.TB) reader {
	t.Helper()
	const mobile, id = "13912345678", "c3ViamVjdHN1YmplY3RzdWJqZcmFuZG9tcmFuZG9tcmE"
	keys, err := secrets.ParseKeys("k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	if err != nil {
		t.Fatal(err)
	}
	sealed := keys.Seal(mobile, "sms:code/"+id)
	good := fmt.Sprintf(`{"id":%q,"key_id":"k1","purpose":"login","to":"139****5678","sealed":%q,"length":6,"expires_at":4102444800}`, id, sealed)
	golden, err := os.ReadFile("../../tasks/testdata/email_activation.v1.json")
	if err != nil {
		t.Fatal(err)
	}
	return reader{
		corpora: []string{"tasks/testdata/fuzz/FuzzHandlers"}, seeds: []string{good, string(golden)},
		check: func(t testing.TB, random *rand.Rand, text string) {
			t.Helper()
			quiet := nothing{t, mobile, text}
			metrics := tasks.NewMetrics(prometheus.NewRegistry())
			sms := &tasks.SMSCodeHandler{Claims: quiet, Sender: quiet, Keys: keys, Timeout: time.Second, Metrics: metrics}
			email := &tasks.EmailHandler{Claims: noMails{quiet}, Keys: keys, Timeout: time.Second, Metrics: metrics}
			mux := asynq.NewServeMux()
			tasks.Register(mux, sms, email, nil)
			types := tasks.Types()
			_ = mux.ProcessTask(t.Context(), asynq.NewTask(types[random.IntN(len(types))], []byte(text)))
			shown := tasks.FormatPayload("", []byte(text))
			hidden := strings.Count(text, sealed) == strings.Count(text, `"sealed":"`+sealed) // no mutation has moved it
			testkit.Conditions(t, fmt.Sprintf("%q is shown as %q", text, shown), map[string]bool{
				"it is JSON, or said not to decode": json.Valid([]byte(shown)) || shown == "(does not decode)",
				"the sealed number is hidden":       !hidden || !strings.Contains(shown, sealed),
			})
		},
	}
}

package prove_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"usher/internal/testclient"
	"usher/limits"
)

// What docs/limits.md states of the default budget.
const (
	budgetYuan = 45
	smsYuan    = 0.045
	botnet     = 2000 // networks
)

// Row 24: a botnet that stays below every limit of an address, a network, a number and a prefix, and solves every captcha,
// spends the strangers' part of a day's budget and no more. The rest is for accounts that have signed in before.
func TestRow24_a_botnet_costs_at_most_the_stated_bill(t *testing.T) {
	t.Parallel()
	r := newRow(t, 24, "a botnet asks for codes of fresh numbers")
	f := newFleet(t, map[string]string{
		"USHER_SMS_BUDGET_YUAN": fmt.Sprint(budgetYuan), "USHER_SMS_PRICE_YUAN": fmt.Sprint(smsYuan),
		"USHER_LIMITS":          "sms_total=off", // it would end the attack of a day within the first minute
		"USHER_TRUSTED_PROXIES": "127.0.0.0/8", "USHER_SMS_RESEND_INTERVAL": "1s",
	})
	set := limits.Defaults().WithBudget(budgetYuan, smsYuan)
	owner := testclient.Journey{Username: "owner", Password: longPassword, Mobile: "13800138000", Email: "owner@example.com"}
	f.people[0].Walk(owner)

	answers := f.count(t, botnet, func(ctx context.Context, i int) (testclient.Answer, error) {
		address := fmt.Sprintf("100.%d.%d.7", 64+i/512, i/2%256)
		if i%2 == 1 {
			address = fmt.Sprintf("2001:db8:%x::7", i)
		}
		return f.from(ctx, address, http.MethodPost, "/v1/sms-codes", map[string]any{
			"mobile": fmt.Sprintf("1%d%04d%04d", 30+i%69, i/69, i*7%10000), "purpose": "login",
		})
	})
	sent := f.passed(t, answers, "202 0", "429 4206")
	r.atMost("codes to the botnet", sent, set[limits.SMSBudgetUnknown].Count)
	r.atMost("yuan that they cost", int(float64(sent)*smsYuan+0.5), budgetYuan)
	refused := f.people[1].Do(http.MethodPost, "/v1/sms-codes", map[string]any{"mobile": "13900139000", "purpose": "register"})
	r.exactly("answer to a new person afterwards", refused.Status, http.StatusTooManyRequests)
	// The pause since the code of the journey may still run.
	var served testclient.Answer
	again := time.NewTicker(400 * time.Millisecond)
	defer again.Stop()
	for range 5 {
		served = f.people[1].Do(http.MethodPost, "/v1/sms-codes", map[string]any{"mobile": owner.Mobile, "purpose": "login"})
		if served.Status == http.StatusAccepted {
			break
		}
		<-again.C
	}
	r.exactly("answer to an owner on a network of theirs", served.Status, http.StatusAccepted)
	r.tried("%d networks", botnet)
}

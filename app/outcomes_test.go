package app_test

import (
	"strings"
	"testing"
	"time"

	"usher/internal/testkit"
	"usher/messages"
	"usher/store/sqlstore"
)

func TestOutcomes_of_SMS_are_shown_in_SQL(t *testing.T) {
	t.Parallel()
	d := deploy(t, testkit.Redis(t), testkit.SQLite(t), map[string]string{"USHER_SMS_PROVIDERS": "aliyun"})
	db, err := sqlstore.Open(t.Context(), d.environ["USHER_DATABASE_URL"], sqlstore.Settings{Timeout: testkit.DatabasePatience})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	id := d.person(t).AskCode("13800138000", "register")
	var row sqlstore.Message
	testkit.Eventually(t, testkit.Patience, func() bool {
		row, err = sqlstore.NewMessages(db, time.Now).Find(t.Context(), id)
		return err == nil && row.State == messages.Sent
	}, "the code's row says that it was sent")
	if row.To != "138****8000" || row.Provider != "aliyun" || row.ProviderID == "" || row.RequestID == "" {
		t.Errorf("row = %+v", row)
	}
	testkit.Eventually(t, testkit.Patience, func() bool {
		return strings.Contains(metricsOf(t, d.api.OpsAddr()), "usher_outcomes_waiting 0\n")
	}, "nothing waits")
	if text := metricsOf(t, d.api.OpsAddr()); !strings.Contains(text, "usher_outcomes_lag_seconds 0\n") {
		t.Errorf("the lag is missing in:\n%s", text)
	}
	if text := metricsOf(t, d.worker.OpsAddr()); strings.Contains(text, `usher_outcomes_total{result="written"} 0`) {
		t.Errorf("no outcome was counted in:\n%s", text)
	}
}

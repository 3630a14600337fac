package api_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"usher/accounts"
	"usher/api"
	"usher/audit"
	"usher/internal/testkit"
)

// noAudit is a store whose audit cannot be written.
type noAudit struct{ accounts.Store }

func (noAudit) Audit(context.Context, audit.Record) error { return errors.New("audit is full") }

func TestSignIn_succeeds_without_the_audit_and_is_counted(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) { s.Accounts.Store = noAudit{s.Accounts.Store} })
	p := b.person()
	p.signUp("li_lei", number)
	testkit.WantMetric(t, b.metrics, `usher_sign_ins_unaudited_total 0`)
	p.signInByName("li_lei")
	p.get("/v1/sessions/current").want(200, "0")
	testkit.WantMetric(t, b.metrics, `usher_sign_ins_unaudited_total 1`)
	if !bytes.Contains(b.logs.Bytes(), []byte("sign-in not recorded in the audit")) {
		t.Error("the log does not tell it")
	}
}

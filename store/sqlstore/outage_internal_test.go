package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"usher/store"
)

func TestFaults_are_outages_with_a_cure(t *testing.T) {
	t.Parallel()
	for i := range faults {
		row := &faults[i]
		code := row.state + strings.Repeat("9", 5-len(row.state)) // of its class, and of no row of its own
		err := fmt.Errorf("find account: %w", &pq.Error{Code: pqerror.Code(code), Message: "ERROR: " + row.text})
		if faultOf(err) != row {
			t.Errorf("%s %q is taken for another row", row.state, row.text)
		}
		o := store.AsOutage(asOutage(err))
		if o == nil || o.Of != store.Database || o.Class != row.class || o.Reason == "" || o.Cure == "" && row.reaction != reconnect {
			t.Errorf("%s %q is %+v", row.state, row.text, o)
		}
	}
}

func TestOutages_are_told_from_mistakes(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		driver.ErrBadConn, sql.ErrConnDone, sql.ErrTxDone, io.EOF, io.ErrUnexpectedEOF, context.DeadlineExceeded, os.ErrDeadlineExceeded,
		&net.OpError{Op: "dial", Err: errors.New("connection refused")}, errors.New("server is in hot standby mode"), lost(),
	} {
		if o := store.AsOutage(asOutage(fmt.Errorf("find account: %w", err))); o == nil || o.Of != store.Database || o.Cure == "" {
			t.Errorf("%v is %+v, want an outage", err, o)
		}
	}
	for _, err := range []error{
		nil, sql.ErrNoRows, context.Canceled, errors.New("seal is forged"), &pq.Error{Code: pqerror.UniqueViolation},
		&pq.Error{Code: "42601", Message: "syntax error"}, &pq.Error{Code: "0A000", Message: "not supported"},
	} {
		if got := asOutage(err); store.AsOutage(got) != nil || !errors.Is(got, err) {
			t.Errorf("%v is taken for an outage: %v", err, got)
		}
	}
	left, leave := context.WithCancel(t.Context())
	leave()
	db := &DB{}
	if err := db.note(left, &pq.Error{Code: "57014"}); store.AsOutage(err) != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that has left is told %v", err)
	}
}

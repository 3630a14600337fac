package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"usher/accounts"
)

// Person is an account as those may see it who look after messages: without its name, which may be a number.
type Person struct {
	ID        string
	Mobile    string // masked
	Email     string // masked; proved
	Pending   string // masked: an address that waits for its proof
	Active    bool
	Subject   string // what the ids of codes to its number begin with; empty without a number
	CreatedAt time.Time
	UpdatedAt time.Time // when it was changed last, not counting sign-ins
}

// Person returns the account, or accounts.ErrNotFound.
func (m *Messages) Person(ctx context.Context, id string) (Person, error) {
	return m.person(ctx, "id = ?", id)
}

// PersonOf returns the account whose number's codes have ids that begin with the subject, or
// accounts.ErrNotFound.
func (m *Messages) PersonOf(ctx context.Context, subject string) (Person, error) {
	return m.person(ctx, "mobile_key = ?", subject)
}

func (m *Messages) person(ctx context.Context, condition, value string) (Person, error) {
	var row accountRow
	err := m.db.get(ctx, &row, "select "+personColumns+" from accounts where "+condition, value)
	if errors.Is(err, sql.ErrNoRows) {
		return Person{}, accounts.ErrNotFound
	}
	if err != nil {
		return Person{}, fmt.Errorf("find account: %w", err)
	}
	person := Person{
		ID: row.ID, Mobile: row.MobileMasked, Email: row.EmailMasked, Pending: row.PendingEmailMasked, Active: row.Active,
		CreatedAt: row.CreatedAt.Time, UpdatedAt: row.UpdatedAt.Time,
	}
	if row.MobileKey != nil {
		person.Subject = *row.MobileKey
	}
	return person, nil
}

const personColumns = `id, mobile_key, mobile_masked, email_masked, pending_email_masked, active, created_at, updated_at`

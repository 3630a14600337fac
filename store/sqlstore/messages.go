package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"usher/messages"
)

// ListMost is the largest [Filter.Limit].
const ListMost = 10_000

// Messages shows operators the outcomes of messages, and lets them requeue a mail. It needs no secret keys, because it opens
// nothing that is sealed. It is safe for concurrent use; make it with [NewMessages].
type Messages struct {
	db  *DB
	now func() time.Time
}

// NewMessages returns the messages in db, SMS and mails alike.
func NewMessages(db *DB, now func() time.Time) *Messages { return &Messages{db.slowly(), now} }

// Message is all that the database knows of a message, except sealed fields. Unknown times are zero, unknown texts empty. As
// JSON it is the output of admin messages.
type Message struct {
	ID        string           `db:"id" json:"id"`
	Channel   messages.Channel `db:"channel" json:"channel"`
	Purpose   string           `db:"purpose" json:"purpose"`
	AccountID string           `db:"account_id" json:"account_id,omitempty"` // empty for a code: its number may have no account yet
	Language  string           `db:"language" json:"language,omitempty"`
	To        string           `db:"to_masked" json:"to"`
	RequestID string           `db:"request_id" json:"request_id,omitempty"`

	State            messages.State `db:"state" json:"state"`
	Reason           string         `db:"reason" json:"reason,omitempty"`     // of a dropped one, and of the last attempt at a mail that was not accepted
	Attempt          int            `db:"attempt" json:"attempts"`            // number of the last claim
	UnresolvedClaims int            `db:"doubts" json:"unresolved,omitempty"` // claims that ran out: each may have sent it
	Enqueues         int            `db:"enqueues" json:"enqueues,omitempty"` // tasks beyond the first

	Provider     string `db:"provider" json:"provider,omitempty"`
	ProviderID   string `db:"provider_id" json:"provider_id,omitempty"`
	ProviderCode string `db:"provider_code" json:"provider_code,omitempty"`

	CreatedAt   time.Time `db:"-" json:"created_at"`
	EnqueuedAt  time.Time `db:"-" json:"enqueued_at,omitzero"`
	LeaseUntil  time.Time `db:"-" json:"lease_until,omitzero"`
	AcceptedAt  time.Time `db:"-" json:"accepted_at,omitzero"`
	DeliveredAt time.Time `db:"-" json:"delivered_at,omitzero"`
	UsedAt      time.Time `db:"-" json:"used_at,omitzero"`
	NotAfter    time.Time `db:"-" json:"not_after"` // worthless past it
	UpdatedAt   time.Time `db:"-" json:"updated_at"`
}

const messageColumns = `id, channel, purpose, coalesce(account_id, '') as account_id, language, to_masked, request_id,
	state, reason, attempt, doubts, enqueues, provider, provider_id, provider_code,
	created_at, enqueued_at, lease_until, accepted_at, delivered_at, used_at, not_after, updated_at`

type messageRow struct {
	Message

	CreatedAt   stamp `db:"created_at"`
	EnqueuedAt  stamp `db:"enqueued_at"`
	LeaseUntil  stamp `db:"lease_until"`
	AcceptedAt  stamp `db:"accepted_at"`
	DeliveredAt stamp `db:"delivered_at"`
	UsedAt      stamp `db:"used_at"`
	NotAfter    stamp `db:"not_after"`
	UpdatedAt   stamp `db:"updated_at"`
}

// message returns the message with its times, which sqlx reads into the outer fields of the row.
func (r messageRow) message() Message {
	m := r.Message
	m.CreatedAt, m.EnqueuedAt, m.LeaseUntil = r.CreatedAt.Time, r.EnqueuedAt.Time, r.LeaseUntil.Time
	m.AcceptedAt, m.DeliveredAt, m.UsedAt = r.AcceptedAt.Time, r.DeliveredAt.Time, r.UsedAt.Time
	m.NotAfter, m.UpdatedAt = r.NotAfter.Time, r.UpdatedAt.Time
	return m
}

// Filter selects messages. A zero field selects all.
type Filter struct {
	Channel   messages.Channel
	States    []messages.State
	Purpose   string
	Provider  string
	Code      string // the provider's
	To        string // masked: many numbers and addresses look alike
	RequestID string
	AccountID string
	Subject   string    // what the ids of a number's codes begin with
	Since     time.Time // created then or later
	Until     time.Time // created before
	Alive     time.Time // useful beyond that time
	Limit     int       // 1 to [ListMost]; a larger one is reduced to that
}

// where returns the condition with its arguments.
func (f Filter) where() (string, []any) {
	conditions, args := []string{"true"}, []any{}
	add := func(condition string, arg any) {
		conditions, args = append(conditions, condition), append(args, arg)
	}
	for _, equal := range []struct{ column, value string }{
		{"channel", string(f.Channel)},
		{"purpose", f.Purpose},
		{"provider", f.Provider},
		{"provider_code", f.Code},
		{"to_masked", f.To},
		{"request_id", f.RequestID},
		{"account_id", f.AccountID},
	} {
		if equal.value != "" {
			add(equal.column+" = ?", equal.value)
		}
	}
	if len(f.States) > 0 {
		add("state in (?)", f.States)
	}
	if f.Subject != "" {
		add(fmt.Sprintf("channel = 'sms' and substr(id, 1, %d) = ?", len(f.Subject)), f.Subject)
	}
	for _, bound := range []struct {
		condition string
		time      time.Time
	}{
		{"created_at >= ?", f.Since},
		{"created_at < ?", f.Until},
		{"not_after > ?", f.Alive},
	} {
		if !bound.time.IsZero() {
			add(bound.condition, at(bound.time))
		}
	}
	return strings.Join(conditions, " and "), args
}

// List returns the newest messages that the filter selects, the newest first.
func (m *Messages) List(ctx context.Context, f Filter) ([]Message, error) {
	where, args := f.where()
	query, args, err := sqlx.In("select "+messageColumns+" from messages where "+where+
		" order by created_at desc, id desc limit ?", append(args, min(max(f.Limit, 1), ListMost))...)
	if err != nil {
		return nil, fmt.Errorf("list messages: %w", err)
	}
	var rows []messageRow
	if err := m.db.listOnce(ctx, &rows, query, args...); err != nil {
		return nil, fmt.Errorf("list messages: %w", err)
	}
	list := make([]Message, 0, len(rows))
	for _, row := range rows {
		list = append(list, row.message())
	}
	return list, nil
}

// Find returns the message, or messages.ErrNotFound.
func (m *Messages) Find(ctx context.Context, id string) (Message, error) {
	var row messageRow
	err := m.db.get(ctx, &row, "select "+messageColumns+" from messages where id = ?", id)
	if errors.Is(err, sql.ErrNoRows) {
		return Message{}, messages.ErrNotFound
	}
	if err != nil {
		return Message{}, fmt.Errorf("find message: %w", err)
	}
	return row.message(), nil
}

// Person is an account as operators of messages may see it: without its name, which may be a number.
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

// person finds an account by a condition with one argument.
func (m *Messages) person(ctx context.Context, condition, value string) (Person, error) {
	var row accountRow
	err := m.db.get(ctx, &row, "select "+personColumns+" from accounts where "+condition, value)
	if err != nil {
		return Person{}, accountError("find account", err)
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

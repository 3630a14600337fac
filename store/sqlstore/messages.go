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
	"usher/store"
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

	CreatedAt   Stamp `db:"created_at" json:"created_at"`
	EnqueuedAt  Stamp `db:"enqueued_at" json:"enqueued_at,omitzero"`
	LeaseUntil  Stamp `db:"lease_until" json:"lease_until,omitzero"`
	AcceptedAt  Stamp `db:"accepted_at" json:"accepted_at,omitzero"`
	DeliveredAt Stamp `db:"delivered_at" json:"delivered_at,omitzero"`
	UsedAt      Stamp `db:"used_at" json:"used_at,omitzero"`
	NotAfter    Stamp `db:"not_after" json:"not_after"` // worthless past it
	UpdatedAt   Stamp `db:"updated_at" json:"updated_at"`
}

const messageColumns = `id, channel, purpose, coalesce(account_id, '') as account_id, language, to_masked, request_id,
	state, reason, attempt, doubts, enqueues, provider, provider_id, provider_code,
	created_at, enqueued_at, lease_until, accepted_at, delivered_at, used_at, not_after, updated_at`

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
	var list []Message
	err = m.db.listOnce(ctx, &list, query, args...)
	return list, store.Wrap("list messages", err)
}

// Find returns the message, or messages.ErrNotFound.
func (m *Messages) Find(ctx context.Context, id string) (Message, error) {
	var message Message
	err := m.db.get(ctx, &message, "select "+messageColumns+" from messages where id = ?", id)
	if errors.Is(err, sql.ErrNoRows) {
		return Message{}, messages.ErrNotFound
	}
	return message, store.Wrap("find message", err)
}

// Person is an account as operators of messages may see it: without its name, which may be a number.
type Person struct {
	ID        string `db:"id"`
	Mobile    string `db:"mobile_masked"`        // masked
	Email     string `db:"email_masked"`         // masked; proved
	Pending   string `db:"pending_email_masked"` // masked: an address that waits for its proof
	Active    bool   `db:"active"`
	Subject   string `db:"subject"` // what the ids of codes to its number begin with; empty without a number
	CreatedAt Stamp  `db:"created_at"`
	UpdatedAt Stamp  `db:"updated_at"` // when it was changed last, not counting sign-ins
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
	var person Person
	err := m.db.get(ctx, &person, `select id, mobile_masked, email_masked, pending_email_masked, active,
		coalesce(mobile_key, '') as subject, created_at, updated_at from accounts where `+condition, value)
	return person, accountError("find account", err)
}

package sqlstore

import (
	"cmp"
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
		add(fmt.Sprintf(ofCode+" and substr(id, 1, %d) = ?", len(f.Subject)), f.Subject)
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

// Retry says how a mail is requeued.
type Retry struct {
	Force  bool // also requeue a mail that was sent, which is then delivered twice
	DryRun bool // change nothing
	Stuck  bool // also requeue a mail that is queued: the caller knows that it has no task
}

// retryRow is a mail with the part of its account that decides whether the mail is useful.
type retryRow struct {
	mailRow
	standing
}

// refusal returns the reason why the mail is not requeued, or "".
func (r retryRow) refusal(how Retry, now Stamp) string {
	if reason := r.obsolete(r.standing, now); reason != "" {
		return reason
	}
	switch r.State {
	case messages.Queued:
		if !how.Stuck {
			return string(r.State)
		}
	case messages.Sending:
		return string(r.State)
	case messages.Sent, messages.Delivered:
		if !how.Force {
			return string(r.State)
		}
	default:
	}
	return ""
}

// Retry requeues a mail that has ended although it is still useful: a relay enqueues it on its next sweep. It returns "", or the
// reason for refusing: missing; used, superseded, unproved or expired when the mail is not useful any more; the mail's state
// when it is queued or was sent; busy when it was changed at the same moment.
//
// The task gets a new id, because the old one may be in Asynq's archive.
func (m *Messages) Retry(ctx context.Context, id string, how Retry) (reason string, err error) {
	now := at(m.now())
	row, err := m.retryable(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return "missing", nil
	}
	if err != nil {
		return "", fmt.Errorf("read mail: %w", err)
	}
	if reason := row.refusal(how, now); reason != "" || how.DryRun {
		return reason, nil
	}
	// Counted as enqueued when it was filed, so that it is due at once.
	changed, err := m.db.exec(ctx, `
		update messages
		set state = 'queued', reason = '', lease_until = null, enqueues = enqueues + 1, enqueued_at = ?, updated_at = ?
		where id = ? and channel = 'email' and state = ? and attempt = ? and enqueues = ? and not_after > ? and `+wanted,
		row.CreatedAt, now, id, row.State, row.Attempt, row.Enqueues, now)
	if err != nil {
		return "", fmt.Errorf("requeue mail: %w", err)
	}
	if changed == 0 { // another process was faster: the state that it has set is the reason
		if row, err = m.retryable(ctx, id); err != nil {
			return "", fmt.Errorf("read mail: %w", err)
		}
		return cmp.Or(row.refusal(how, now), "busy"), nil
	}
	return "", nil
}

// retryable reads a mail together with the part of its account that decides whether the mail is useful.
func (m *Messages) retryable(ctx context.Context, id string) (retryRow, error) {
	var row retryRow
	err := m.db.get(ctx, &row, `
		select messages.id, messages.purpose, to_sealed, state, attempt, enqueues, generation, not_after,
			messages.created_at, email_active as proved, pending_email_key is not null as pending, activation_generation
		from messages join accounts on accounts.id = messages.account_id
		where messages.id = ? and channel = 'email'`, id)
	return row, err
}

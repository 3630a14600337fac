package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"usher/app"
	"usher/messages"
	"usher/store/sqlstore"
)

const listHelp = `usage: admin messages list [FLAGS]

Lists the newest messages that fit all flags, the newest first. WHY is the reason of a dropped message or the
provider's code. SMS come from Redis about a second late.
`

// listed is how long a list is unless a flag says otherwise.
const listed = 50

func listMessages(ctx context.Context, p app.Process) error {
	flags := newFlags("messages list", listHelp)
	var wanted filterFlags
	wanted.register(flags, listed)
	asJSON := flags.Bool("json", false, "print one JSON object a line")
	if err := app.ParseFlags(flags, p); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return &app.UsageError{Text: "messages list: want flags only; messages show takes an id"}
	}
	filter, err := wanted.parse(time.Now())
	if err != nil {
		return err
	}
	d, err := openDesk(ctx, p)
	if err != nil {
		return err
	}
	defer d.close()
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	list, err := d.messages.List(ctx, filter)
	if err != nil {
		return err
	}
	if *asJSON {
		return printLines(p.Stdout, list, viewOf)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(p.Stdout, "No messages fit.")
		return err
	}
	if err := printTable(p.Stdout, list); err != nil {
		return err
	}
	if len(list) == filter.Limit && len(list) < sqlstore.ListMost {
		_, _ = fmt.Fprintf(p.Stderr, "These are the newest %d; there may be more: see -limit and -until.\n", len(list))
	}
	return nil
}

func printTable(w io.Writer, list []sqlstore.Message) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "TIME\tID\tCHANNEL\tPURPOSE\tTO\tSTATE\tWHY\tATTEMPTS\tPROVIDER")
	for _, m := range list {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", m.CreatedAt.UTC().Format(time.RFC3339),
			m.ID, m.Channel, m.Purpose, m.To, m.State, cell(why(m)), m.Attempt, cell(m.Provider))
	}
	return table.Flush()
}

// why is what an operator asks first.
func why(m sqlstore.Message) string {
	if m.Reason == m.ProviderCode {
		return m.Reason
	}
	return strings.TrimSpace(m.Reason + " " + m.ProviderCode)
}

// cell makes a text that came from outside safe for a terminal, and visible when it is empty.
func cell(text string) string {
	if text == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return '?'
		}
		return r
	}, text)
}

// messageView is a message in JSON; what is not known is left out.
type messageView struct {
	ID           string           `json:"id"`
	Channel      messages.Channel `json:"channel"`
	Purpose      string           `json:"purpose"`
	To           string           `json:"to"`
	State        messages.State   `json:"state"`
	Reason       string           `json:"reason,omitempty"`
	Provider     string           `json:"provider,omitempty"`
	ProviderID   string           `json:"provider_id,omitempty"`
	ProviderCode string           `json:"provider_code,omitempty"`
	Attempts     int              `json:"attempts"`
	Unresolved   int              `json:"unresolved,omitempty"`
	Enqueues     int              `json:"enqueues,omitempty"`
	Language     string           `json:"language,omitempty"`
	AccountID    string           `json:"account_id,omitempty"`
	RequestID    string           `json:"request_id,omitempty"`
	RedisState   messages.State   `json:"redis_state,omitempty"` // of a code that Redis still knows
	CreatedAt    time.Time        `json:"created_at"`
	EnqueuedAt   time.Time        `json:"enqueued_at,omitzero"`
	LeaseUntil   time.Time        `json:"lease_until,omitzero"`
	AcceptedAt   time.Time        `json:"accepted_at,omitzero"`
	DeliveredAt  time.Time        `json:"delivered_at,omitzero"`
	UsedAt       time.Time        `json:"used_at,omitzero"`
	NotAfter     time.Time        `json:"not_after"`
	UpdatedAt    time.Time        `json:"updated_at"`
}

func viewOf(m sqlstore.Message) messageView {
	return messageView{
		ID: m.ID, Channel: m.Channel, Purpose: m.Purpose, To: m.To, State: m.State, Reason: m.Reason,
		Provider: m.Provider, ProviderID: m.ProviderID, ProviderCode: m.ProviderCode,
		Attempts: m.Attempt, Unresolved: m.UnresolvedClaims, Enqueues: m.Enqueues,
		Language: m.Language, AccountID: m.AccountID, RequestID: m.RequestID,
		CreatedAt: m.CreatedAt, EnqueuedAt: m.EnqueuedAt, LeaseUntil: m.LeaseUntil, AcceptedAt: m.AcceptedAt,
		DeliveredAt: m.DeliveredAt, UsedAt: m.UsedAt, NotAfter: m.NotAfter, UpdatedAt: m.UpdatedAt,
	}
}

// printLines writes one JSON object a line.
func printLines[T, V any](w io.Writer, list []T, view func(T) V) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for _, one := range list {
		if err := encoder.Encode(view(one)); err != nil {
			return err
		}
	}
	return nil
}

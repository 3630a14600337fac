package main

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"usher/accounts"
	"usher/messages"
	"usher/store/sqlstore"
	"usher/verify"
)

// Bounds of a story.
const (
	storyMost   = 200            // messages
	storyBefore = time.Hour      // in which the codes of a sign-up were asked for
	storyAfter  = 24 * time.Hour // in which mails and codes follow it
)

// story is what the stores know of one sign-up.
type story struct {
	person   *sqlstore.Person   // nil without an account
	messages []sqlstore.Message // in the order of time
	inRedis  map[string]messages.State
}

var errNoStory = errors.New("no request, message or account of this id is known: SMS arrive in the database about a second late, and old messages are deleted")

// story finds the account and the messages that belong to an id.
func (d *desk) story(ctx context.Context, id string) (*story, error) {
	found, err := d.begin(ctx, id)
	if err != nil {
		return nil, err
	}
	s := &story{inRedis: map[string]messages.State{}}
	if s.person, err = d.personOf(ctx, id, found); err != nil {
		return nil, err
	}
	if s.person == nil && len(found) == 0 {
		return nil, cmp.Or(d.away, errNoStory)
	}
	if s.messages, err = d.related(ctx, s.person, found); err != nil {
		return nil, err
	}
	for _, m := range s.messages {
		if m.Channel != messages.SMS {
			continue
		}
		status, err := d.status(ctx, m.ID)
		if err != nil && d.away == nil {
			return nil, err
		}
		s.inRedis[m.ID] = status.State
	}
	return s, nil
}

// begin returns the messages that the id names by itself.
func (d *desk) begin(ctx context.Context, id string) ([]sqlstore.Message, error) {
	message, _, err := d.look(ctx, id)
	if err == nil {
		return []sqlstore.Message{message}, nil
	}
	if !errors.Is(err, errUnknown) && d.away == nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return d.messages.List(ctx, sqlstore.Filter{RequestID: id, Limit: storyMost})
}

// personOf returns the account that the id names, or that the messages belong to; nil is none.
func (d *desk) personOf(ctx context.Context, id string, found []sqlstore.Message) (*sqlstore.Person, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	ask := []func() (sqlstore.Person, error){
		func() (sqlstore.Person, error) { return d.messages.Person(ctx, id) },
	}
	for _, m := range found {
		ask = append(ask, func() (sqlstore.Person, error) {
			if subject, code := verify.SubjectOf(m.ID); code {
				return d.messages.PersonOf(ctx, subject)
			}
			return d.messages.Person(ctx, m.AccountID)
		})
	}
	for _, person := range ask {
		p, err := person()
		if err == nil {
			return &p, nil
		}
		if !errors.Is(err, accounts.ErrNotFound) {
			return nil, err
		}
	}
	return nil, nil
}

// related adds the account's mails and the number's codes, and puts all in the order of time.
func (d *desk) related(ctx context.Context, person *sqlstore.Person, found []sqlstore.Message) ([]sqlstore.Message, error) {
	all := map[string]sqlstore.Message{}
	add := func(list []sqlstore.Message) {
		for _, m := range list {
			all[m.ID] = m
		}
	}
	var filters []sqlstore.Filter
	if person != nil {
		filters = append(filters, sqlstore.Filter{AccountID: person.ID}, codesAround(person.Subject, person.CreatedAt))
	} else {
		for _, m := range found {
			if subject, code := verify.SubjectOf(m.ID); code {
				filters = append(filters, codesAround(subject, m.CreatedAt))
				break
			}
		}
	}
	add(found)
	for _, filter := range filters {
		if filter.AccountID == "" && filter.Subject == "" {
			continue
		}
		filter.Limit = storyMost
		asked, cancel := context.WithTimeout(ctx, lookTimeout)
		list, err := d.messages.List(asked, filter)
		cancel()
		if err != nil {
			return nil, err
		}
		add(list)
	}
	return slices.SortedFunc(maps.Values(all), func(a, b sqlstore.Message) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	}), nil
}

func codesAround(subject string, at time.Time) sqlstore.Filter {
	if at.IsZero() { // a code that only Redis knows yet
		at = time.Now()
	}
	return sqlstore.Filter{Subject: subject, Since: at.Add(-storyBefore), Until: at.Add(storyAfter)}
}

// event is something that happened.
type event struct {
	At        time.Time        `json:"at"`
	Event     string           `json:"event"`
	AccountID string           `json:"account_id,omitempty"`
	MessageID string           `json:"message_id,omitempty"`
	Channel   messages.Channel `json:"channel,omitempty"`
	Purpose   string           `json:"purpose,omitempty"`
	To        string           `json:"to,omitempty"`
	RequestID string           `json:"request_id,omitempty"`
	Attempt   int              `json:"attempt,omitempty"`

	Provider     string `json:"provider,omitempty"`
	ProviderID   string `json:"provider_id,omitempty"`
	ProviderCode string `json:"provider_code,omitempty"`
	Reason       string `json:"reason,omitempty"`

	number int // of its message in the story, from 1
}

// events returns what happened in the order of time.
func (s *story) events() []event {
	var all []event
	if p := s.person; p != nil {
		all = append(all, event{At: p.CreatedAt, Event: "created", AccountID: p.ID})
		if p.UpdatedAt.After(p.CreatedAt) {
			all = append(all, event{At: p.UpdatedAt, Event: "changed", AccountID: p.ID, Reason: standing(*p)})
		}
	}
	for i, m := range s.messages {
		for _, e := range eventsOf(m) {
			e.number = i + 1
			e.MessageID, e.Channel, e.Purpose, e.To = m.ID, m.Channel, m.Purpose, m.To
			e.RequestID, e.AccountID = m.RequestID, m.AccountID
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b event) int { return a.At.Compare(b.At) })
	return all
}

// eventsOf returns what the times of a message tell. Its row keeps the last of each kind.
func eventsOf(m sqlstore.Message) []event {
	if m.CreatedAt.IsZero() {
		return nil
	}
	events := []event{{At: m.CreatedAt, Event: string(messages.Queued)}}
	if m.EnqueuedAt.Sub(m.CreatedAt) >= time.Second {
		events = append(events, event{At: m.EnqueuedAt, Event: "enqueued"})
	}
	if !m.AcceptedAt.IsZero() {
		events = append(events, event{At: m.AcceptedAt, Event: "accepted", Provider: m.Provider, ProviderID: m.ProviderID})
	}
	if !m.DeliveredAt.IsZero() {
		events = append(events, event{At: m.DeliveredAt, Event: string(messages.Delivered), ProviderCode: m.ProviderCode})
	}
	if !m.UsedAt.IsZero() {
		events = append(events, event{At: m.UsedAt, Event: "used"})
	}
	last := event{
		At: m.UpdatedAt, Event: string(m.State), Attempt: m.Attempt, Reason: m.Reason,
		Provider: m.Provider, ProviderCode: m.ProviderCode,
	}
	switch m.State {
	case messages.Failed, messages.Undelivered, messages.Dropped, messages.Sending:
		events = append(events, last)
	case messages.Queued:
		if last.Event = "waiting"; m.Attempt > 0 {
			events = append(events, last)
		}
	default:
	}
	return events
}

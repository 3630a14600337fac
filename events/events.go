// Package events says what this service tells a team's own services about accounts and messages: the types of events, their
// bodies, the endpoints that get them, and what an endpoint's answer means. Events are signed and delivered as the Standard
// Webhooks specification 1.0 says, see package webhooks.
//
// An event is written in the transaction of what it tells, with one delivery for each endpoint that wants its type. It is
// delivered at least once: an endpoint that gets it again gets the same id. The order of deliveries is not promised; the events of
// one account carry a number that rises.
package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Type says what happened.
type Type string

// The types of events. The dots and the names are part of the contract and never change.
const (
	AccountCreated         Type = "account.created"
	AccountActivated       Type = "account.activated"
	AccountContactChanged  Type = "account.contact_changed"
	AccountPasswordChanged Type = "account.password_changed"
	AccountBlocked         Type = "account.blocked"
	AccountUnblocked       Type = "account.unblocked"
	AccountDeleted         Type = "account.deleted"
	VerificationApproved   Type = "verification.approved"
	MessageUndelivered     Type = "message.undelivered"
)

// Test is the type of what an operator sends to try an endpoint out. It tells of nothing, and no endpoint chooses it.
const Test Type = "endpoint.test"

// Types returns all types.
func Types() []Type {
	return []Type{
		AccountCreated, AccountActivated, AccountContactChanged, AccountPasswordChanged, AccountBlocked, AccountUnblocked,
		AccountDeleted, VerificationApproved, MessageUndelivered,
	}
}

// ParseTypes reads a list with commas. An empty list means every type, also those of later versions.
func ParseTypes(list string) ([]Type, error) {
	var types []Type
	for name := range strings.SplitSeq(list, ",") {
		typ := Type(strings.TrimSpace(name))
		switch {
		case typ == "" && list == "":
			return nil, nil
		case !slices.Contains(Types(), typ):
			return nil, fmt.Errorf("there is no event %q; want some of %s", typ, JoinTypes(Types()))
		case !slices.Contains(types, typ):
			types = append(types, typ)
		}
	}
	return types, nil
}

// JoinTypes writes a list that [ParseTypes] reads.
func JoinTypes(types []Type) string {
	names := make([]string, len(types))
	for i, typ := range types {
		names[i] = string(typ)
	}
	return strings.Join(names, ",")
}

// Event is one event, as it is stored.
type Event struct {
	ID        string // is also the id of its deliveries to the endpoints, by which they drop a repeated one
	Type      Type
	AccountID string // empty when the event is not about an account
	Seq       int64  // of the account's events; 0 when the event is not about an account
	Body      []byte // exactly the bytes that are sent
	CreatedAt time.Time
}

// NewID returns the id of a new event. The ids of later events are greater.
func NewID() string { return idOf(uuid.Must(uuid.NewV7())) }

// IDOf returns the id of the one event that tells a fact, such as "undelivered" of a message: telling it again makes no second
// event.
func IDOf(fact, about string) string { return idOf(uuid.NewSHA1(namespace, []byte(fact+"/"+about))) }

var namespace = uuid.MustParse("5f0f6a3e-6c2f-4d37-9a53-2f6e1a0f7c11")

func idOf(id uuid.UUID) string { return "evt_" + strings.ReplaceAll(id.String(), "-", "") }

// AccountData is the data of an event about an account. Receivers that need more ask for it: a body shows no full number or
// address.
type AccountData struct {
	AccountID string `json:"account_id"`
	Seq       int64  `json:"seq"` // rises with each event of the account; numbers may be missing
	Active    *bool  `json:"active,omitempty"`
	Mobile    string `json:"mobile,omitempty"` // proved, masked
	Email     string `json:"email,omitempty"`  // proved, masked

	// Changed says which contacts an event of type account.contact_changed is about: mobile, email.
	Changed []string `json:"changed,omitempty"`
}

// MessageData is the data of an event about a message that did not reach the person.
type MessageData struct {
	MessageID string `json:"message_id"`
	Channel   string `json:"channel"` // sms or email
	Purpose   string `json:"purpose"`
	To        string `json:"to"`    // masked
	State     string `json:"state"` // failed: no provider accepted it; undelivered: the carrier reported that it did not arrive
	Reason    string `json:"reason,omitempty"`
}

// VerificationData is the data of an event about a verification that an app has requested.
type VerificationData struct {
	VerificationID string `json:"verification_id"`
	AppID          string `json:"app_id"`
	Channel        string `json:"channel"` // sms or email
	Purpose        string `json:"purpose"` // in the app's own words
	To             string `json:"to"`      // masked
}

// maxBody is what the specification allows.
const maxBody = 20_000

// Body returns the bytes that are sent and signed.
func Body(typ Type, at time.Time, data any) ([]byte, error) {
	body, err := json.Marshal(struct {
		Type      Type   `json:"type"`
		Timestamp string `json:"timestamp"`
		Data      any    `json:"data"`
	}{typ, at.UTC().Format("2006-01-02T15:04:05.000Z07:00"), data})
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	if len(body) >= maxBody {
		return nil, errors.New("event is too long")
	}
	return body, nil
}

// WithoutContacts returns the body of an event without the masked numbers and addresses in it, and without the id of a message: that of
// a code begins with the keyed hash of its number or address.
func WithoutContacts(body []byte) ([]byte, error) {
	var event struct {
		Type      json.RawMessage            `json:"type"`
		Timestamp json.RawMessage            `json:"timestamp"`
		Data      map[string]json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		return nil, fmt.Errorf("decode event: %w", err)
	}
	for _, field := range []string{"mobile", "email", "to", "message_id"} {
		delete(event.Data, field)
	}
	short, err := json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return short, nil
}

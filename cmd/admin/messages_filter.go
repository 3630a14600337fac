package main

import (
	"errors"
	"flag"
	"slices"
	"strings"
	"time"

	"usher/app"
	"usher/contact"
	"usher/messages"
	"usher/store/sqlstore"
)

// deadStates are those of messages that people did not get.
func deadStates() []messages.State {
	return []messages.State{messages.Failed, messages.Undelivered, messages.Dropped}
}

// filterFlags are the flags of list and of retry -all.
type filterFlags struct {
	channel, states, to, since, until string
	filter                            sqlstore.Filter
}

func (f *filterFlags) register(flags *flag.FlagSet, limit int) {
	flags.StringVar(&f.channel, "channel", "", "`channel`: sms or email")
	flags.StringVar(&f.states, "state", "", "`states`, with commas between them: queued, sending, sent, delivered, undelivered, "+
		"failed, dropped;\ndead is undelivered,failed,dropped")
	flags.StringVar(&f.filter.Purpose, "purpose", "", "`purpose`, such as register, login, activation or password_changed")
	flags.StringVar(&f.filter.Provider, "provider", "", "`name` of the provider that was asked last")
	flags.StringVar(&f.filter.Code, "code", "", "the provider's `code`, such as isv.BUSINESS_LIMIT_CONTROL")
	flags.StringVar(&f.to, "to", "", "`number or address`, whole or masked (138****8000, l***@example.com). Only masks are compared,\n"+
		"and many numbers and addresses have the same one")
	flags.StringVar(&f.filter.RequestID, "request-id", "", "`id` of the request that made the message")
	flags.StringVar(&f.since, "since", "", "`time` from which on, such as 2026-01-02T15:04:05Z, or how long ago, such as 1h30m")
	flags.StringVar(&f.until, "until", "", "`time` before which, alike")
	flags.IntVar(&f.filter.Limit, "limit", limit, "how many at most, 1 to 10000")
}

// parse reads the flags; a mistake comes back as an *app.UsageError that quotes no number.
func (f *filterFlags) parse(now time.Time) (sqlstore.Filter, error) {
	filter := f.filter
	filter.Channel = messages.Channel(f.channel)
	if f.channel != "" && filter.Channel != messages.SMS && filter.Channel != messages.Email {
		return filter, &app.UsageError{Text: "-channel: want sms or email"}
	}
	if filter.Limit < 1 || filter.Limit > sqlstore.ListMost {
		return filter, &app.UsageError{Text: "-limit: want 1 to 10000"}
	}
	var err error
	if filter.States, err = parseStates(f.states); err != nil {
		return filter, &app.UsageError{Text: "-state: " + err.Error()}
	}
	if filter.To, err = parseMask(f.to); err != nil {
		return filter, &app.UsageError{Text: "-to: " + err.Error()}
	}
	if filter.Since, err = parseTime(f.since, now); err != nil {
		return filter, &app.UsageError{Text: "-since: " + err.Error()}
	}
	if filter.Until, err = parseTime(f.until, now); err != nil {
		return filter, &app.UsageError{Text: "-until: " + err.Error()}
	}
	return filter, nil
}

func parseStates(text string) ([]messages.State, error) {
	if text == "" {
		return nil, nil
	}
	known := append([]messages.State{messages.Queued, messages.Sending, messages.Sent, messages.Delivered}, deadStates()...)
	var states []messages.State
	for name := range strings.SplitSeq(text, ",") {
		state := messages.State(strings.TrimSpace(name))
		switch {
		case state == "dead":
			states = append(states, deadStates()...)
		case slices.Contains(known, state):
			states = append(states, state)
		default:
			return nil, errors.New("want some of queued, sending, sent, delivered, undelivered, failed, dropped, dead")
		}
	}
	return states, nil
}

// parseMask returns what a number or an address looks like in the table. A whole one goes no further.
func parseMask(text string) (string, error) {
	if text == "" || strings.Contains(text, "***") {
		return text, nil
	}
	if mobile, err := contact.ParseMobile(text); err == nil {
		return mobile.String(), nil
	}
	if email, err := contact.ParseEmail(text); err == nil {
		return email.String(), nil
	}
	return "", errors.New("want a number, an address, or what one looks like masked")
}

// parseTime reads a time, or how long ago it was.
func parseTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	return time.Time{}, errors.New("want a time such as 2026-01-02T15:04:05Z, or how long ago, such as 1h30m")
}

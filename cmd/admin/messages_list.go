package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"usher/app"
	"usher/contact"
	"usher/messages"
	"usher/store/sqlstore"
)

const listHelp = `usage: admin messages list [FLAGS]

Lists the newest messages that match all flags, the newest first. WHY is the reason of a dropped message or the
provider's code. A new SMS appears after about a second.
`

// listed is the default of -limit.
const listed = 50

func listMessages(ctx context.Context, p app.Process) error {
	flags := newFlags("messages list", listHelp)
	var filter sqlstore.Filter
	filterFlags(flags, &filter, listed)
	asJSON := flags.Bool("json", false, "print one JSON object a line")
	if err := app.ParseFlags(flags, p); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return &app.UsageError{Text: "messages list: want flags only; use messages show for one id"}
	}
	if err := checkFilter(p, &filter); err != nil {
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
		return printJSON(p.Stdout, "", list...)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(p.Stdout, "No messages match.")
		return err
	}
	if err := printTable(p.Stdout, list); err != nil {
		return err
	}
	if len(list) == filter.Limit && len(list) < sqlstore.ListMost {
		_, _ = fmt.Fprintf(p.Stderr, "These are the newest %d messages. There may be more: use -limit or -until.\n", len(list))
	}
	return nil
}

// printTable prints a message a line. Texts of providers pass through cell.
func printTable(w io.Writer, list []sqlstore.Message) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "TIME\tID\tCHANNEL\tPURPOSE\tTO\tSTATE\tWHY\tATTEMPTS\tPROVIDER")
	for _, m := range list {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", m.CreatedAt.UTC().Format(time.RFC3339),
			m.ID, m.Channel, m.Purpose, m.To, m.State, cell(why(m)), m.Attempt, cell(m.Provider))
	}
	return table.Flush()
}

// why is the reason and the provider's code, once where they are the same.
func why(m sqlstore.Message) string {
	if m.Reason == m.ProviderCode {
		return m.Reason
	}
	return strings.TrimSpace(m.Reason + " " + m.ProviderCode)
}

// deadStates are the states of messages that did not arrive.
func deadStates() []messages.State {
	return []messages.State{messages.Failed, messages.Undelivered, messages.Dropped}
}

// filterFlags adds the flags of list and of retry -all, which fill the filter; limit is the default of -limit.
func filterFlags(flags *flag.FlagSet, f *sqlstore.Filter, limit int) {
	flags.Func("channel", "`channel`: sms or email", func(text string) error {
		f.Channel = messages.Channel(text)
		if text != "" && f.Channel != messages.SMS && f.Channel != messages.Email {
			return errors.New("want sms or email")
		}
		return nil
	})
	flags.Func("state", "`states`, separated by commas: queued, sending, sent, delivered, undelivered, failed, dropped;\n"+
		"dead means undelivered,failed,dropped", func(text string) (err error) {
		f.States, err = parseStates(text)
		return err
	})
	flags.StringVar(&f.Purpose, "purpose", "", "`purpose`, such as register, login, activation or password_changed")
	flags.StringVar(&f.Provider, "provider", "", "`name` of the provider of the last attempt")
	flags.StringVar(&f.Code, "code", "", "the provider's `code`, such as isv.BUSINESS_LIMIT_CONTROL")
	flags.StringVar(&f.To, "to", "", "`number or address`, full or masked (138****8000, l***@example.com). Only masks are compared,\n"+
		"and many numbers and addresses share one")
	flags.StringVar(&f.RequestID, "request-id", "", "`id` of the request that caused the message")
	flags.Func("since", "not before this `time`, such as 2026-01-02T15:04:05Z, or this long ago, such as 1h30m", timeFlag(&f.Since))
	flags.Func("until", "before this `time`, in the same form", timeFlag(&f.Until))
	flags.IntVar(&f.Limit, "limit", limit, "maximum number, 1 to 10000")
}

// checkFilter masks the number or address of -to. It is no part of the parsing, because package flag quotes what it refuses.
func checkFilter(p app.Process, f *sqlstore.Filter) error {
	if f.Limit < 1 || f.Limit > sqlstore.ListMost {
		return &app.UsageError{Text: "-limit: want 1 to 10000"}
	}
	served, err := regions(p)
	if err != nil {
		return err
	}
	if f.To, err = parseMask(served, f.To); err != nil {
		return &app.UsageError{Text: "-to: " + err.Error()}
	}
	return nil
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

// parseMask masks a number or an address as the table has it. A full one is used for nothing else.
func parseMask(served contact.Regions, text string) (string, error) {
	if text == "" || strings.Contains(text, "***") {
		return text, nil
	}
	if mobile, err := served.ParseAny(text); err == nil {
		return mobile.String(), nil
	}
	if email, err := contact.ParseEmail(text); err == nil {
		return email.String(), nil
	}
	return "", errors.New("want a number or an address, full or masked")
}

// timeFlag reads a time, or a duration before now. An empty text changes nothing.
func timeFlag(into *time.Time) func(string) error {
	return func(text string) (err error) {
		if text == "" {
			return nil
		}
		if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
			*into = time.Now().Add(-ago)
			return nil
		}
		if *into, err = time.Parse(time.RFC3339, text); err != nil {
			return errors.New("want a time such as 2026-01-02T15:04:05Z, or a duration before now, such as 1h30m")
		}
		return nil
	}
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// floorFlag makes this program a floor; its value is a floor as JSON.
const floorFlag = "-floor"

// floor is the least code that does the work of one of our programs, with the same libraries. It runs in a
// process of its own, so that its garbage and its share of the cores are its own.
type floor struct {
	Kind string `json:"kind"`

	Addr        string        `json:"addr,omitempty"` // of a server
	RedisURL    string        `json:"redis_url,omitempty"`
	DatabaseURL string        `json:"database_url,omitempty"`
	Trips       int           `json:"trips,omitempty"`       // to Redis, in one request
	VendorURL   string        `json:"vendor_url,omitempty"`  // empty: the task does nothing
	Count       int           `json:"count,omitempty"`       // tasks or mails
	Concurrency int           `json:"concurrency,omitempty"` // of tasks or connections
	Duration    time.Duration `json:"duration,omitempty"`    // of hashing
	SMTPAddr    string        `json:"smtp_addr,omitempty"`   // with the login
	CAFile      string        `json:"ca_file,omitempty"`
	Username    string        `json:"username,omitempty"`
	Password    string        `json:"password,omitempty"`
	KeyID       string        `json:"key_id,omitempty"`
	KeySecret   string        `json:"key_secret,omitempty"`
}

// The kinds of floors.
const (
	floorHTTP  = "http"  // Echo with Redis or SQL behind it
	floorQueue = "queue" // an Asynq server
	floorHash  = "hash"  // argon2id
	floorMail  = "mail"  // go-mail
)

// runFloor is the other main function of this program. A floor that is not a server prints its result, a rate, in
// one line.
func runFloor(ctx context.Context, spec string, out io.Writer) error {
	var f floor
	if err := json.Unmarshal([]byte(spec), &f); err != nil {
		return err
	}
	var rate float64
	var err error
	switch f.Kind {
	case floorHTTP:
		return f.serve(ctx)
	case floorQueue:
		rate, err = f.drain(ctx)
	case floorHash:
		rate = f.hash(ctx)
	case floorMail:
		rate, err = f.mail(ctx)
	default:
		err = fmt.Errorf("there is no floor %q", f.Kind)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, rate)
	return err
}

// start starts the floor as a process of its own.
func (f floor) start(s *testbed) (*process, error) {
	spec, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	return start(s.dir, "floor-"+f.Kind, nil, s.self, floorFlag, string(spec))
}

// measure runs a floor that is not a server to its end.
func (f floor) measure(s *testbed) rate {
	return printed(func() (*process, error) { return f.start(s) })
}

// printed is the rate that a process prints before it ends.
func printed(start func() (*process, error)) rate {
	return func(ctx context.Context) (v float64, err error) {
		p, err := start()
		if err != nil {
			return 0, err
		}
		defer p.stop()
		if err := p.Wait(ctx); err != nil {
			return 0, fmt.Errorf("%s: %w: %s", p.name, err, p.LastOutput())
		}
		if _, err = fmt.Sscan(p.Output(), &v); err == nil && v <= 0 {
			err = fmt.Errorf("%s has no rate", p.name)
		}
		return v, err
	}
}

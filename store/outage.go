package store

import (
	"errors"
	"fmt"
)

// The two dependencies that an [Outage] can concern.
const (
	Database Dependency = "database"
	Redis    Dependency = "redis"
)

// Dependency names a store in log lines and metrics.
type Dependency string

// Class says which calls to a dependency an [Outage] affects.
type Class int

// The classes of an outage.
const (
	// Unavailable means that the dependency does nothing for this process: it cannot be reached, does not answer in time
	// or refuses everything.
	Unavailable Class = iota
	// Unwritable means that it still answers reads.
	Unwritable
	// Refused means that it refused one command or statement. Others may pass.
	Refused
)

// Outage is the error of a store whose dependency failed through no fault of the caller: the same call succeeds once an
// operator or time has removed the cause. Packages that know neither Redis nor SQL distinguish it from a programming mistake
// with [AsOutage].
type Outage struct {
	Of     Dependency
	Class  Class
	Reason string // a short clause for operators, such as "redis is full"
	Cure   string // what an operator can do, such as "raise maxmemory"
	Err    error  // what the driver said; never nil
}

// Error returns the reason and the driver's own words.
func (o *Outage) Error() string { return o.Reason + ": " + o.Err.Error() }

// Unwrap returns the driver's error.
func (o *Outage) Unwrap() error { return o.Err }

// AsOutage returns the first outage in the error's chain, or nil.
func AsOutage(err error) *Outage {
	o, _ := errors.AsType[*Outage](err)
	return o
}

// Advise returns the error's text followed by what an operator can do about it. It returns "" for nil.
func Advise(err error) string {
	if err == nil {
		return ""
	}
	if o := AsOutage(err); o != nil && o.Cure != "" {
		return err.Error() + " (" + o.Cure + ")"
	}
	return err.Error()
}

// Wrap puts the operation that failed in front of its error; nil stays nil.
func Wrap(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", operation, err)
}

package providers

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
)

var errPanicked = errors.New("panicked; the log has the stack")

// Guard calls a sender, or whatever leads to one, and turns a panic into an [Error] of kind Unknown: the
// request may have left. Neither log nor error quotes the panic's value, which might hold a number or a code.
func Guard(logger *slog.Logger, provider string, call func() (Receipt, error)) (receipt Receipt, err error) {
	defer func() {
		if recover() != nil {
			logger.Error("sender panicked", "provider", provider, "stack", Stack())
			receipt, err = Receipt{}, &Error{Provider: provider, Kind: Unknown, Code: "own_panic", Err: errPanicked}
		}
	}()
	return call()
}

// maxFrames bounds a stack in the log.
const maxFrames = 32

// Stack names the functions that run, the innermost first, without their arguments: a number or the digits of
// a code may be among them.
func Stack() string {
	counters := make([]uintptr, maxFrames)
	frames := runtime.CallersFrames(counters[:runtime.Callers(2, counters)])
	var text strings.Builder
	for {
		frame, more := frames.Next()
		fmt.Fprintf(&text, "%s %s:%d\n", frame.Function, frame.File, frame.Line)
		if !more {
			return text.String()
		}
	}
}

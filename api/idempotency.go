package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"regexp"
	"time"

	"github.com/labstack/echo/v4"
)

// Answers keeps the answers to requests with an Idempotency-Key.
type Answers interface {
	// Begin takes the key for a run, which it names, until Keep, Drop or half a minute later. When the
	// key is taken, run is empty: same tells whether for the same body, and answer is what was kept,
	// empty while the run that has the key lasts.
	Begin(ctx context.Context, key, body string) (run, answer string, same bool, err error)

	// Keep ends a run with an answer for a day.
	Keep(ctx context.Context, key, run, answer string) error

	// Drop ends a run and gives its key up.
	Drop(ctx context.Context, key, run string) error
}

// The header by which a client names a request, so that it can send it again when the answer was lost.
const (
	headerKey      = "Idempotency-Key"
	headerReplayed = "Idempotency-Replayed"
)

// keyPattern is long enough for a client to draw keys that nobody else has.
var keyPattern = regexp.MustCompile(`^[!-~]{8,128}$`)

// endTimeout bounds the ending of a run whose own time may be up.
const endTimeout = time.Second

// Errors of the header.
var (
	errBadKey    = errors.New("idempotency key is malformed")
	errOtherBody = errors.New("idempotency key was used with another body")
	errRunning   = errors.New("request with this idempotency key is being worked on")
)

// work is an endpoint that leaves answering to its caller.
type work func(echo.Context) (data any, err error)

// once lets a request with an Idempotency-Key do its work once: sent again with the same body it gets the
// same data. Only success is kept; a refusal gives the key up, so that the next try is a new one. Cookies are
// not kept either: a session is given to the one who waits for the answer, and else by signing in.
func (s *Server) once(status int, do work) echo.HandlerFunc {
	return func(c echo.Context) error {
		keys := c.Request().Header.Values(headerKey)
		if len(keys) == 0 {
			data, err := do(c)
			if err != nil {
				return err
			}
			return answer(c, status, data)
		}
		if len(keys) > 1 || !keyPattern.MatchString(keys[0]) {
			return errBadKey
		}
		body, err := readBody(c)
		if err != nil {
			return err
		}
		c.Request().Body = io.NopCloser(bytes.NewReader(body))
		// Of other methods and paths the same key is another one.
		key := method(c) + " " + c.Path() + " " + keys[0]
		run, kept, same, err := s.Answers.Begin(c.Request().Context(), key, string(body))
		switch {
		case err != nil:
			return err
		case !same:
			return errOtherBody
		case kept != "":
			c.Response().Header().Set(headerReplayed, "true")
			return answer(c, status, json.RawMessage(kept))
		case run == "":
			c.Response().Header().Set(echo.HeaderRetryAfter, "1")
			return errRunning
		}
		data, err := s.runOnce(c, do, key, run)
		if err != nil {
			return err
		}
		return answer(c, status, data)
	}
}

// runOnce does the work to its end even when the client has gone away: its next try asks for the answer.
// The answer is kept before it is sent, for after that nobody knows whether it has arrived.
func (s *Server) runOnce(c echo.Context, do work, key, run string) (json.RawMessage, error) {
	background := context.WithoutCancel(c.Request().Context())
	ctx, cancel := context.WithTimeout(background, requestTimeout)
	defer cancel()
	c.SetRequest(c.Request().WithContext(ctx))

	var kept string
	defer func() { // deferred for the sake of panics
		ctx, cancel := context.WithTimeout(background, endTimeout)
		defer cancel()
		end := func() error { return s.Answers.Drop(ctx, key, run) }
		if kept != "" {
			end = func() error { return s.Answers.Keep(ctx, key, run, kept) }
		}
		// The work is done or refused whatever becomes of the key, which will be free in half a minute.
		if err := end(); err != nil {
			s.Logger.LogAttrs(ctx, slog.LevelWarn, "idempotency key is stuck",
				slog.String("request_id", idOf(c)), slog.String("error", err.Error()))
		}
	}()
	data, err := do(c)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	kept = string(text)
	return text, nil
}

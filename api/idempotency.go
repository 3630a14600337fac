package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"time"

	"github.com/labstack/echo/v4"
)

// Answers keeps the answers to requests with an Idempotency-Key.
type Answers interface {
	// Begin takes the key for a run, whose name it returns, until Keep, Drop or half a minute later. When the key is
	// taken, run is empty; same reports whether it was taken for the same body, and answer is the kept one, empty while
	// the other run lasts.
	Begin(ctx context.Context, key, body string) (run, answer string, same bool, err error)

	// Keep ends a run with an answer for a day.
	Keep(ctx context.Context, key, run, answer string) error

	// Drop ends a run and frees its key.
	Drop(ctx context.Context, key, run string) error
}

// With the first header a client names a request, so that it can send it again when the answer was lost.
const (
	headerKey      = "Idempotency-Key"
	headerReplayed = "Idempotency-Replayed"
)

// keyPattern is long enough for random keys that are unique.
var keyPattern = regexp.MustCompile(`^[!-~]{8,128}$`)

// endTimeout bounds the end of a run whose own context may have ended.
const endTimeout = time.Second

// Errors of the header.
var (
	errBadKey    = errors.New("idempotency key is malformed")
	errOtherBody = errors.New("idempotency key was used with another body")
	errRunning   = errors.New("request with this idempotency key is still running")
)

// once is endpoint for work that a request with an Idempotency-Key does once: sent again with the same body it gets the
// same data. Only success is kept; a refusal frees the key, so that the next try is a new one. Cookies are not kept: only
// the client that waits for the first answer gets a session, any other has to sign in.
func (s *Server) once(status int, do work) echo.HandlerFunc {
	withoutKey := endpoint(status, do)
	return func(c echo.Context) error {
		keys := c.Request().Header.Values(headerKey)
		if len(keys) == 0 {
			return withoutKey(c)
		}
		if len(keys) > 1 || !keyPattern.MatchString(keys[0]) {
			return errBadKey
		}
		body, err := readBody(c)
		if err != nil {
			return err
		}
		c.Request().Body = io.NopCloser(bytes.NewReader(body))
		// For another method, path or app the same text is another key.
		key := appOf(c).app.ID + method(c) + " " + c.Request().URL.Path + " " + keys[0]
		run, kept, same, err := s.Answers.Begin(c.Request().Context(), key, string(body))
		switch {
		case err != nil:
			return err
		case !same:
			return errOtherBody
		case kept != "":
			c.Response().Header().Set(headerReplayed, "true")
			setLocation(c, []byte(kept))
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

// runOnce does the work to its end even when the client has disconnected: its next try asks for the answer. It keeps the
// answer before it sends it, since whether an answer arrives is unknown.
func (s *Server) runOnce(c echo.Context, do work, key, run string) (json.RawMessage, error) {
	background := context.WithoutCancel(c.Request().Context())
	ctx, cancel := context.WithTimeout(background, requestTimeout)
	defer cancel()
	c.SetRequest(c.Request().WithContext(ctx))

	var kept string
	defer func() { // also after a panic
		ctx, cancel := context.WithTimeout(background, endTimeout)
		defer cancel()
		end := func() error { return s.Answers.Drop(ctx, key, run) }
		if kept != "" {
			end = func() error { return s.Answers.Keep(ctx, key, run, kept) }
		}
		// The work is done or refused even if this fails.
		if err := end(); err != nil {
			s.warn(c, "idempotency key not ended; it is free again in half a minute", err)
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

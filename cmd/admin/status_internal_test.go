package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"usher/app"
	"usher/board"
	"usher/vitals"
)

func TestStatus_prints_the_sentences_of_the_page(t *testing.T) {
	t.Parallel()
	down := map[string]error{"redis": errors.New("down"), "database": nil}
	page, err := board.New(board.Sources{
		Probes: func(context.Context) map[string]error {
			return map[string]error{"redis": down["redis"], "database": nil}
		},
		Traffic:  func(_ context.Context, w vitals.Window) (*vitals.Traffic, error) { return vitals.NewTraffic(w), nil },
		Workers:  func(context.Context) ([]vitals.Worker, error) { return nil, nil },
		Queues:   func(context.Context) ([]vitals.Queue, error) { return nil, nil },
		Outbox:   func(context.Context) (vitals.Backlog, error) { return vitals.Backlog{}, nil },
		Outcomes: func(context.Context) (vitals.Backlog, error) { return vitals.Backlog{}, nil },
		Events:   func(context.Context) (vitals.Events, error) { return vitals.Events{}, nil },
		Rotating: vitals.Rotating{Secrets: true},
	}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	page.Register(mux)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t0ken-of-operators" {
			http.Error(w, "token required", http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	ask := func(token string, args ...string) (string, error) {
		var out bytes.Buffer
		err := run(t.Context(), app.Process{
			Args: append([]string{"status", "-url", server.URL}, args...), Environ: map[string]string{"USHER_OPS_TOKEN": token}, Stdout: &out, Stderr: &out,
		})
		return out.String(), err
	}
	out, err := ask("t0ken-of-operators")
	want(t, out, nil, "[red] Redis does not answer, since ", "no one can sign up", "admin doctor", server.URL+"/ops/docs/runbooks/StoreUnavailable",
		"[note] USHER_SECRET_KEYS has more than one key")
	if !errors.Is(err, errWrong) || strings.Count(out, "[red]") != 1 {
		t.Errorf("%v, want one red sentence:\n%s", err, out)
	}
	out, _ = ask("t0ken-of-operators", "-lang", "zh")
	want(t, out, nil, "Redis 没有响应", "所有人都无法注册")
	out, _ = ask("t0ken-of-operators", "-json")
	want(t, out, nil, `"rule": "redis_unavailable"`, `"runbook": "/ops/docs/runbooks/StoreUnavailable"`)
	if out, err := ask("another"); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("%v:\n%s", err, out)
	}
}

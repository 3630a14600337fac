package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"usher/app"
	"usher/board"
	"usher/config"
)

const statusHelp = `usage: admin status [FLAGS]

Asks an API process what is wrong and prints the sentences of its page /ops: what, since when, whom it hits, what to do, and
the runbook. The token is USHER_OPS_TOKEN. Exit codes: 0 nothing is wrong, 1 something is, or the API does not answer.
`

const (
	statusTime = 10 * time.Second // the page asks its sources for three
	statusMost = 1 << 20
)

// errWrong is the error of a verdict that is not green.
var errWrong = errors.New("something is wrong")

func status(ctx context.Context, p app.Process) error {
	flags := newFlags("status", statusHelp)
	base := flags.String("url", "http://127.0.0.1:8081", "`address` of the operations port of an API process")
	lang := flags.String("lang", "en", "`language`: en or zh")
	asJSON := flags.Bool("json", false, "print the verdict as JSON")
	if err := parseFlagsOnly(flags, p); err != nil {
		return err
	}
	var settings struct {
		OpsToken config.Secret `env:"OPS_TOKEN"`
	}
	if err := config.Load(p.Environ, &settings); err != nil {
		return err
	}
	verdict, err := askVerdict(ctx, strings.TrimRight(*base, "/"), *lang, settings.OpsToken)
	if err != nil {
		return fmt.Errorf("the API does not answer (docs/runbooks/APIMissing.md): %w", err)
	}
	if *asJSON {
		err = printJSON(p.Stdout, "  ", verdict)
	} else {
		err = printVerdict(p.Stdout, strings.TrimRight(*base, "/"), verdict)
	}
	if err == nil && verdict.Level != "green" {
		err = fmt.Errorf("%w: %s", errWrong, verdict.Level)
	}
	return err
}

// askVerdict asks without a proxy of the environment, as the health check does.
func askVerdict(ctx context.Context, base, lang string, token config.Secret) (verdict board.Verdict, err error) {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	query := url.Values{"format": {"json"}, "lang": {lang}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+board.Path+"?"+query.Encode(), http.NoBody)
	if err != nil {
		return verdict, errors.New("-url: not an address that can be asked")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token.Reveal())
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return verdict, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return verdict, fmt.Errorf("it answers %s", response.Status)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, statusMost)).Decode(&verdict); err != nil {
		return verdict, fmt.Errorf("read the verdict: %w", err)
	}
	return verdict, nil
}

// printVerdict prints a finding a paragraph, and the notes behind them.
func printVerdict(w io.Writer, base string, verdict board.Verdict) error {
	var out strings.Builder
	for _, s := range verdict.Findings {
		fmt.Fprintf(&out, "[%s] %s\n", s.Level, s.Text)
		for _, line := range []string{s.Do, s.Runbook} {
			switch {
			case line == "":
			case strings.HasPrefix(line, "/"):
				fmt.Fprintf(&out, "    %s%s\n", base, line)
			default:
				fmt.Fprintf(&out, "    %s\n", line)
			}
		}
	}
	for _, s := range verdict.Notes {
		fmt.Fprintf(&out, "[note] %s\n", strings.TrimSpace(s.Text+" "+s.Do))
	}
	if len(verdict.Missing) > 0 {
		fmt.Fprintf(&out, "Not known: %v\n", verdict.Missing)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

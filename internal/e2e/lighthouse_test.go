package e2e_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

// lighthouseWanted are the least scores, of 100.
var lighthouseWanted = map[string]float64{"accessibility": 100, "best-practices": 100, "performance": 95}

// TestLighthouse scores the pages as a slow phone and a desktop computer load them: make lighthouse. It is no part of the other tests,
// because its package is large and a score for speed depends on what else the machine does.
func TestLighthouse(t *testing.T) {
	t.Parallel()
	if os.Getenv("USHER_LIGHTHOUSE") == "" {
		t.Skip("USHER_LIGHTHOUSE is not set")
	}
	chromium := testkit.NeedProgram(t, "chromium")
	lighthouse := filepath.Join(testkit.NPM(t, "lighthouse@12.8.2"), "node_modules", ".bin", "lighthouse")
	s := openSite(t, "60s")
	s.p = testclient.New(t, s.pages, s.inbox)
	s.p.CaptchaAnswer = captchaAnswer
	s.account(t, "light_house", "13911150003")
	answer := s.p.Must(http.StatusCreated, http.MethodPost, "/v1/sessions", map[string]any{"login": "light_house", "password": oldPassword})
	cookie, _, _ := strings.Cut(answer.Header.Get("Set-Cookie"), ";")
	headers, err := json.Marshal(map[string]string{"Cookie": cookie})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(everyPage, "/account?mode=password") {
		if page == "/nowhere" || strings.HasSuffix(page, "token=t") {
			continue // Lighthouse scores no page that answers with an error
		}
		for _, screen := range []string{"a phone", "a desktop computer"} {
			report := filepath.Join(t.TempDir(), "report.json")
			arguments := []string{
				s.base + page, "--quiet", "--output=json", "--output-path=" + report, "--only-categories=performance,accessibility,best-practices",
				"--chrome-flags=--headless=new --no-sandbox --disable-dev-shm-usage",
			}
			if screen == "a desktop computer" {
				arguments = append(arguments, "--preset=desktop")
			}
			if strings.HasPrefix(page, "/account") {
				arguments = append(arguments, "--extra-headers="+string(headers))
			}
			cmd := exec.CommandContext(t.Context(), lighthouse, arguments...)
			cmd.Env = append(os.Environ(), "CHROME_PATH="+chromium)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", page, err, out)
				continue
			}
			wantScores(t, page+" on "+screen, report)
		}
	}
}

// wantScores compares the scores of a report with those that are wanted.
func wantScores(t *testing.T, page, report string) {
	t.Helper()
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var result struct {
		FinalDisplayedURL string
		Categories        map[string]struct{ Score float64 }
	}
	if err := json.Unmarshal(text, &result); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %s %v", page, result.FinalDisplayedURL, result.Categories)
	for name, least := range lighthouseWanted {
		if got := 100 * result.Categories[name].Score; got < least {
			t.Errorf("%s: %s has %.0f, want %.0f", page, name, got, least)
		}
	}
}

package opstest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

// prometheus is one that watches a deployment.
type prometheus struct {
	t   *testing.T
	url string
}

// startPrometheus runs one with the configuration of the folder ops, in which the addresses are those given and
// 15 seconds are one.
func startPrometheus(t *testing.T, addresses map[string]string) *prometheus {
	t.Helper()
	path := testkit.NeedProgram(t, "prometheus")
	dir := t.TempDir()
	config := strings.ReplaceAll(testkit.RepositoryFile(t, "ops/prometheus.yml"), "15s", "1s")
	for usual, actual := range addresses {
		if !strings.Contains(config, usual) {
			t.Fatalf("ops/prometheus.yml does not name %s", usual)
		}
		config = strings.ReplaceAll(config, usual, actual)
	}
	for name, text := range map[string]string{"prometheus.yml": config, "alerts.yml": testkit.RepositoryFile(t, "ops/alerts.yml")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := testkit.StartProgram(t, nil, path, "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0")
	return &prometheus{t: t, url: "http://" + p.Await(t, `msg="Listening on" address=(\S+)`)}
}

// get asks the API of Prometheus; data gets what the answer holds. It reports whether the answer was a success,
// and else what Prometheus said.
func (p *prometheus) get(path string, query url.Values, data any) (said string, ok bool) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+path+"?"+query.Encode(), http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return err.Error(), false
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	if err != nil {
		return err.Error(), false
	}
	envelope := struct {
		Status string
		Data   any
	}{Data: data}
	if err := json.Unmarshal(body, &envelope); err != nil {
		return fmt.Sprintf("%v: %.200s", err, body), false
	}
	return string(body), envelope.Status == "success"
}

// down are the targets that are not up, by address.
func (p *prometheus) down() (addresses []string, all int) {
	p.t.Helper()
	var data struct {
		ActiveTargets []struct{ ScrapeURL, Health, LastError string }
	}
	p.get("/api/v1/targets", nil, &data)
	for _, target := range data.ActiveTargets {
		if target.Health != "up" {
			addresses = append(addresses, target.ScrapeURL+" "+target.LastError)
		}
	}
	return addresses, len(data.ActiveTargets)
}

// ruleState is the state of a rule after its evaluation.
type ruleState struct {
	Name, Query, Health, LastError, State string
}

func (p *prometheus) rules() (all []ruleState) {
	p.t.Helper()
	var data struct{ Groups []struct{ Rules []ruleState } }
	p.get("/api/v1/rules", nil, &data)
	for _, group := range data.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

// names are those of all series and of all metrics that the processes describe.
func (p *prometheus) names() map[string]bool {
	p.t.Helper()
	var names []string
	metadata := map[string]any{}
	p.get("/api/v1/label/__name__/values", nil, &names)
	p.get("/api/v1/metadata", nil, &metadata)
	found := map[string]bool{}
	for _, name := range slices.Concat(names, slices.Collect(maps.Keys(metadata))) {
		found[name] = true
	}
	return found
}

// traffic is a sign-up, and two sign-ins, one of them with a wrong password.
func traffic(t *testing.T, apiAddr, sandboxAddr string) {
	t.Helper()
	p := testclient.New(t, apiAddr, sandboxAddr)
	p.Walk(testclient.Journey{
		Username: "li_lei", Password: "correct horse 电池", Mobile: "13800138000", Email: "lilei@example.com",
	})
	p.Do(http.MethodPost, "/v1/sessions", map[string]any{"username": "li_lei", "password": "wrong horse 电池"})
}

// deployment starts the processes that ops/prometheus.yml scrapes, and returns its Prometheus.
func deployment(t *testing.T) *prometheus {
	t.Helper()
	testkit.NeedProgram(t, "prometheus")
	environ, sandboxAddr := testkit.Settings(t)
	maps.Copy(environ, map[string]string{
		"USHER_SMS_BUDGET_YUAN": "100", "USHER_SMS_PRICE_YUAN": "0.05",
		// The vendor whose reports are pulled comes first, so that there are some.
		"USHER_SMS_PROVIDERS": "ronglian,aliyun", "USHER_REPORT_PULL_INTERVAL": "1s",
		"USHER_CANARY_TO": "13900139000", "USHER_CANARY_INTERVAL": "5m",
	})
	if code, said := testkit.RunCommand(t, environ, "admin", "migrate", "up"); code != 0 {
		t.Fatalf("admin migrate up: exit %d, %s", code, said)
	}
	const opsAddr = `"ops_addr":"([^"]+)"`
	api := testkit.StartCommand(t, environ, "api")
	sms := testkit.StartCommand(t, environ, "worker", "-channels", "sms")
	email := testkit.StartCommand(t, environ, "worker", "-channels", "email")
	events := testkit.StartCommand(t, environ, "worker", "-channels", "events")
	watcher := startPrometheus(t, map[string]string{
		"127.0.0.1:8081": api.Await(t, opsAddr), "127.0.0.1:8082": sms.Await(t, opsAddr),
		"127.0.0.1:8084": email.Await(t, opsAddr), "127.0.0.1:8085": events.Await(t, opsAddr),
	})
	traffic(t, api.Await(t, `"http_addr":"([^"]+)"`), sandboxAddr)
	return watcher
}

func TestPrometheus_watches_a_deployment(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	p := deployment(t)
	testkit.Eventually(t, patience, func() bool {
		down, all := p.down()
		return all == 4 && len(down) == 0
	}, "an API and three workers are up")
	want := len(rules(t))
	testkit.Eventually(t, patience, func() bool {
		states := p.rules()
		return len(states) == want && !slices.ContainsFunc(states, func(r ruleState) bool { return r.Health == "unknown" })
	}, "all %d rules are evaluated", want)
	for _, r := range p.rules() {
		if r.Health != "ok" {
			t.Errorf("%s: %s, %s", r.Name, r.Health, r.LastError)
		}
	}
	for _, query := range queries(t) {
		if said, ok := p.get("/api/v1/query", url.Values{"query": {query}}, new(any)); !ok {
			t.Errorf("%s: %s", query, said)
		}
	}
	exist(t, p)
	var active []ruleState
	testkit.Eventually(t, patience, func() bool {
		active = slices.DeleteFunc(p.rules(), func(r ruleState) bool { return r.State != "pending" && r.State != "firing" })
		return len(active) == 0
	}, "no alert is pending in a deployment without problems: %v", &active)
}

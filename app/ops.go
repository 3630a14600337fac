package app

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"usher/config"
)

// probeTimeout bounds one look at a store; a probe must answer before its caller gives up.
const probeTimeout = time.Second

// probe looks whether something the process needs answers. Its error is shown to operators.
type probe struct {
	name string
	look func(context.Context) error
}

// ops is the operations port: for operators and their tools, on loopback or behind a token.
type ops struct {
	mux      *http.ServeMux
	registry *prometheus.Registry
	probes   []probe
	draining atomic.Bool
	token    config.Secret
}

func newOps(token config.Secret, probes ...probe) *ops {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	o := &ops{mux: http.NewServeMux(), registry: registry, probes: probes, token: token}
	o.mux.HandleFunc("GET /healthz", o.healthz)
	o.mux.HandleFunc("GET /readyz", o.readyz)
	o.mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return o
}

// handler puts what every answer of the port needs around it.
func (o *ops) handler() http.Handler {
	protected := http.NewCrossOriginProtection().Handler(o.authenticate(o.mux))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		protected.ServeHTTP(w, r)
	})
}

// authenticate asks for the token, as a Bearer token or as the password of Basic authentication, which
// browsers can ask a person for. Health is open: it says nothing worth hiding.
func (o *ops) authenticate(next http.Handler) http.Handler {
	if o.token == "" {
		return next
	}
	want := sha256.Sum256([]byte(o.token.Reveal()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !isBearer {
			_, given, _ = r.BasicAuth()
		}
		sum := sha256.Sum256([]byte(given))
		if r.URL.Path != "/healthz" && subtle.ConstantTimeCompare(sum[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="usher operations"`)
			http.Error(w, "token required", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (o *ops) healthz(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte("ok\n"))
}

// readyz answers 200 when every store answers, and 503 with the reasons otherwise.
func (o *ops) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), probeTimeout)
	defer cancel()
	status := http.StatusOK
	report := map[string]string{}
	if o.draining.Load() {
		status, report["process"] = http.StatusServiceUnavailable, "shutting down"
	}
	for name, err := range o.look(ctx) {
		report[name] = "ok"
		if err != nil {
			status, report[name] = http.StatusServiceUnavailable, err.Error()
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(report)
}

// look asks every store at the same time, so that one that hangs does not make the others look late.
func (o *ops) look(ctx context.Context) map[string]error {
	errs := make([]error, len(o.probes))
	var group sync.WaitGroup
	for i, p := range o.probes {
		group.Go(func() { errs[i] = p.look(ctx) })
	}
	group.Wait()
	found := make(map[string]error, len(errs))
	for i, p := range o.probes {
		found[p.name] = errs[i]
	}
	return found
}

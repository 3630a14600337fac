package app

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"usher/config"
	"usher/store"
)

// probeTimeout bounds one probe of a store; it must answer before its caller gives up.
const probeTimeout = time.Second

// patience is how long probes may take together: long enough for a Redis that is far away.
func patience(c config.Stores) time.Duration { return max(probeTimeout, 2*c.RedisTimeout) }

// opsConnections is far more than operators and their tools need.
const opsConnections = 512

// probe checks whether a dependency of the process answers. Its error is shown to operators.
type probe struct {
	name string
	run  func(context.Context) error
}

// Ops is the operations port: for operators and their tools, on loopback or behind a token. Pages and metrics are
// added to it as they are made, the pages before Listen.
type Ops struct {
	Mux      *http.ServeMux
	Registry *prometheus.Registry

	probes   []probe
	patience time.Duration            // for all probes together
	notes    func() map[string]string // further facts of readiness
	draining atomic.Bool
	token    config.Secret
	hosts    []string // names that the port answers to, besides loopback and addresses
	server   *Server  // nil until Listen
}

// NewOps makes the port of a process, with health and metrics of the process and its stores. When OpsToken is empty, every
// client is an operator.
func NewOps(c config.Common, stores *Stores) *Ops {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	stores.register(registry)
	o := &Ops{
		Mux: http.NewServeMux(), Registry: registry, probes: stores.probes(), notes: stores.notes, patience: patience(c.Stores),
		token: c.OpsToken, hosts: c.OpsHosts,
	}
	o.Mux.HandleFunc("GET /healthz", o.healthz)
	o.Mux.HandleFunc("GET /readyz", o.readyz)
	o.Mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return o
}

// Profiles serves Go's profiles under /debug/pprof/. A CPU profile must take less than the port's 30 seconds.
func (o *Ops) Profiles() {
	o.Mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	o.Mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	o.Mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}

// Listen binds the address of USHER_OPS_ADDR; Run, Addr and Close are for after it.
func (o *Ops) Listen(ctx context.Context, addr string, logger *slog.Logger) (err error) {
	if o.server, err = Listen(ctx, addr, o.handler(addr), Port{Name: "ops", Connections: opsConnections, Registry: o.Registry}, logger); err != nil {
		return fmt.Errorf("listen on %sOPS_ADDR: %w", config.Prefix, err)
	}
	return nil
}

// Addr is the address that the port is bound to.
func (o *Ops) Addr() string { return o.server.Addr() }

// Run serves until ctx ends, then lets requests in flight finish within the grace time. It is called once.
func (o *Ops) Run(ctx context.Context, grace time.Duration) error { return o.server.Run(ctx, grace) }

// Drain makes the process not ready from here on, so that it is sent no more work.
func (o *Ops) Drain() { o.draining.Store(true) }

// Close ends the port at once. Before Listen it does nothing.
func (o *Ops) Close() error {
	if o.server == nil {
		return nil
	}
	return o.server.Close()
}

// handler puts what every answer of the port needs around it.
func (o *Ops) handler(addr string) http.Handler {
	protected := newOpsHosts(addr, o.hosts).guardHost(guardOrigin(o.authenticate(o.Mux)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		protected.ServeHTTP(w, r)
	})
}

// authenticate asks for the token, as a Bearer token or as the password of Basic authentication, which
// browsers can ask a person for. Health is open: it says nothing worth hiding.
func (o *Ops) authenticate(next http.Handler) http.Handler {
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

func (o *Ops) healthz(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte("ok\n"))
}

// readyz answers 200 when every store does what the service needs, and 503 with the reasons otherwise. The body also has
// further facts for operators.
func (o *Ops) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), o.patience)
	defer cancel()
	status := http.StatusOK
	report := o.notes()
	if o.draining.Load() {
		status, report["process"] = http.StatusServiceUnavailable, "shutting down"
	}
	for name, err := range o.Probe(ctx) {
		report[name] = "ok"
		if err != nil {
			status, report[name] = http.StatusServiceUnavailable, store.Advise(err)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(report)
}

// Probe asks every store at the same time, so that one that hangs does not make the others look late.
func (o *Ops) Probe(ctx context.Context) map[string]error {
	errs := make([]error, len(o.probes))
	var group sync.WaitGroup
	for i, p := range o.probes {
		group.Go(func() { errs[i] = p.run(ctx) })
	}
	group.Wait()
	found := make(map[string]error, len(errs))
	for i, p := range o.probes {
		found[p.name] = errs[i]
	}
	return found
}

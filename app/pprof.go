package app

import "net/http/pprof"

// Profiles serves Go's profiles under /debug/pprof/. A profile of the CPU takes less than the port's 30 seconds.
func (o *Ops) Profiles() {
	o.Mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	o.Mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	o.Mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}

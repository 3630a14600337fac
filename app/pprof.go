package app

import "net/http/pprof"

// profiles serves Go's profiles under /debug/pprof/. A profile of the CPU takes less than the port's 30 seconds.
func (o *ops) profiles() {
	o.mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	o.mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	o.mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}

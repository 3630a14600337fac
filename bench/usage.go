package main

import "time"

// usage is processor time by process.
type usage map[string]time.Duration

// usage returns what everybody has used so far; a nil server is left out.
func (b *bench) usage(worker, api *server) usage {
	u := usage{
		"Redis": cpuOf(b.stage.redis.Pid()), "PostgreSQL": cpuOf(b.stage.postgres.Pid()),
		"sandbox": cpuOf(b.stage.vendor.Pid()),
	}
	if worker != nil {
		u["worker"] = cpuOf(worker.Pid())
	}
	if api != nil {
		u["API"] = cpuOf(api.Pid())
		own, _ := statusOf("self") // no time on systems without /proc
		u["load generator"] = own.cpu
	}
	return u
}

// add adds what was used between two looks.
func (u usage) add(before, after usage) {
	for name, used := range after {
		u[name] += used - before[name]
	}
}

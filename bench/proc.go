package main

import (
	"fmt"
	"time"

	"github.com/prometheus/procfs"
)

// tick is the unit of /proc's times on every Linux.
const tick = 10 * time.Millisecond

// cpuOf returns the processor time that a process and its children, ended or not, have used; 0 where it cannot
// be read.
func cpuOf(pid int) time.Duration {
	var total time.Duration
	all, _ := procfs.AllProcs() // a system without /proc has none
	for _, process := range all {
		s, err := process.Stat()
		if err == nil && (s.PID == pid || s.PPID == pid) {
			total += time.Duration(int(s.UTime+s.STime)+s.CUTime+s.CSTime) * tick
		}
	}
	return total
}

// memoryOf returns the resident memory of a process in bytes, and the part of it that is not mapped from files: the pages of the
// program itself are, which its processes share and the kernel may drop.
func memoryOf(pid int) (resident, anonymous float64, err error) {
	process, err := procfs.NewProc(pid)
	if err != nil {
		return 0, 0, err
	}
	status, err := process.NewStatus()
	return float64(status.VmRSS), float64(status.RssAnon), err
}

// machine returns the processor's name and the load of the last minute, for the report.
func machine() (processor, load string) {
	processor, load = "unknown processor", "unknown"
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return processor, load
	}
	if all, err := fs.CPUInfo(); err == nil && len(all) > 0 {
		processor = all[0].ModelName
	}
	if average, err := fs.LoadAvg(); err == nil {
		load = fmt.Sprintf("%.2f", average.Load1)
	}
	return processor, load
}

// usage is processor time by process.
type usage map[string]time.Duration

// usage returns what the processes have used so far; a nil server is left out.
func (b *bench) usage(worker, api *server) usage {
	u := usage{
		"Redis": cpuOf(b.testbed.redis.Pid()), "PostgreSQL": cpuOf(b.testbed.postgres.Pid()),
		"sandbox": cpuOf(b.testbed.vendor.Pid()),
	}
	if worker != nil {
		u["worker"] = cpuOf(worker.Pid())
	}
	if api != nil {
		u["API"] = cpuOf(api.Pid())
		if self, err := procfs.Self(); err == nil {
			stat, _ := self.Stat() // without its children, which are the measured programs
			u["load generator"] = time.Duration(stat.UTime+stat.STime) * tick
		}
	}
	return u
}

// add adds what was used between two readings.
func (u usage) add(before, after usage) {
	for name, used := range after {
		u[name] += used - before[name]
	}
}

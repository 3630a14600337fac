package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc's times on every Linux.
const tick = 10 * time.Millisecond

// status is one process as /proc/PID/stat shows it.
type status struct {
	parent int
	cpu    time.Duration // of itself and of its children that have ended
}

func statusOf(pid string) (status, error) {
	text, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return status{}, err
	}
	// The name, in parentheses, may hold anything.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 15 {
		return status{}, fmt.Errorf("unknown form of /proc/%s/stat", pid)
	}
	var s status
	s.parent, _ = strconv.Atoi(fields[1])
	for _, field := range fields[11:15] { // user and system time, own and of children
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return status{}, err
		}
		s.cpu += time.Duration(ticks) * tick
	}
	return s, nil
}

// cpuOf returns the processor time that a process and its children have used, as far as anybody can tell.
func cpuOf(pid int) time.Duration {
	own, err := statusOf(strconv.Itoa(pid))
	if err != nil {
		return 0
	}
	total := own.cpu
	all, _ := filepath.Glob("/proc/[0-9]*") // a valid pattern
	for _, path := range all {
		if child, err := statusOf(filepath.Base(path)); err == nil && child.parent == pid {
			total += child.cpu
		}
	}
	return total
}

// residentOf returns the resident memory of a process in bytes.
func residentOf(pid int) (float64, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, "VmRSS:"); found {
			kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			return kib * 1024, err
		}
	}
	return 0, fmt.Errorf("process %d has no memory", pid)
}

// machine says what the figures were measured on.
func machine() string {
	model := "unknown processor"
	text, _ := os.ReadFile("/proc/cpuinfo") // another system has none
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	return model
}

// others is the load of the machine before anything of ours runs.
func others() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

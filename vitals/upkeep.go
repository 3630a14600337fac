package vitals

import (
	"maps"
	"slices"
	"time"
)

// The thresholds of what an API process has seen; the alerts of these names have the same.
const (
	fewErrors  = 5  // Errors: answers of 5xx, and at least 1 % of all
	manyShed   = 50 // Overloaded: refused requests of a class, and more than 5 % of them
	shedRate   = 5
	manyWrong  = 50 // SignInsFailing, CaptchasWrong: wrong ones, and more than half of all
	wrongRate  = 50
	manyLimits = 50 // LimitsRefusing: refused requests, and more than 10 % of all
	limitsRate = 10
	lowLimit   = 20 // LimitNearlyUsed, CodesGuessed: percent that is left
)

// canaryJob is the job that sends canaries, as package app names it.
const canaryJob = "canary"

// jobs names periodic work that fails or is not done. A job is late when no worker has done it for twice its interval and
// some minutes, while a worker that could was there all the time.
func (v *verdict) jobs() {
	known := v.periodic()
	for _, name := range slices.Sorted(maps.Keys(known)) {
		job, ran := known[name], v.JobsRan[name]
		fails := !job.failing.IsZero() && job.failing.After(ran)
		late := v.At.Sub(latest(ran, job.from)) > 2*job.every+lateJob
		switch {
		case fails && name == canaryJob:
			v.add(Amber, "canary_fails", name).Since = job.failing
		case fails && v.At.Sub(job.failing) > min(job.every, lateJob):
			v.add(Amber, "job_fails", name).Since = job.failing
		case late && !v.Lacks(SourceJobs) && !v.Lacks(SourceWorkers):
			v.add(Amber, "job_late", name).Since = latest(ran, job.from)
		}
	}
}

// periodicJob is what all workers know of a job: its interval, since when a worker could do it, and since when it fails.
type periodicJob struct {
	every         time.Duration
	from, failing time.Time
}

func (f Facts) periodic() map[string]periodicJob {
	all := map[string]periodicJob{}
	for _, w := range f.Workers {
		for _, job := range w.Jobs {
			one, known := all[job.Name]
			if one.every = job.Every; !known || w.Since.Before(one.from) {
				one.from = w.Since
			}
			if since := job.FailingSince; !since.IsZero() && (one.failing.IsZero() || since.Before(one.failing)) {
				one.failing = since
			}
			all[job.Name] = one
		}
	}
	return all
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// clocks names the machine whose clock is furthest from that of Redis.
func (v *verdict) clocks() {
	host, ahead := "API", time.Duration(0)
	if v.Process != nil {
		ahead = v.Process.ClockAhead
	}
	for _, w := range v.Workers {
		if w.ClockAhead.Abs() > ahead.Abs() {
			host, ahead = w.Host, w.ClockAhead
		}
	}
	if ahead.Abs() > clockOff {
		v.add(Amber, "clock_off", host, ahead.Abs())
	}
}

// process judges what the API process that makes the page has seen. Alerts see all processes.
func (v *verdict) process() {
	p := v.Process
	if p == nil {
		return
	}
	for _, class := range slices.Sorted(maps.Keys(p.Admission)) {
		if refused := p.Admission[class]; refused.Part >= manyShed {
			if rate, _ := refused.Percent(); rate > shedRate {
				v.add(Red, "overloaded", class, rate)
			}
		}
	}
	if rate, ok := share(p.Errors, p.Requests); ok && p.Errors >= fewErrors && rate > 1 {
		v.add(Red, "api_errors", rate, p.Requests)
	}
	if p.Slow != "" {
		v.add(Amber, "api_slow", p.Slow)
	}
	v.limits(p)
	wrong := func(rule string, r Ratio) {
		if rate, ok := r.Percent(); ok && r.Part >= manyWrong && rate > wrongRate {
			v.add(Amber, rule, rate, r.Of)
		}
	}
	wrong("sign_ins_fail", p.SignIns)
	wrong("captchas_wrong", p.Captchas)
	if p.Blocked > 0 {
		v.add(Amber, "prefix_blocked", p.Blocked)
	}
}

// limits judges the limits; the budget has rules of its own.
func (v *verdict) limits(p *Process) {
	if n := p.Limited["sms_total"]; n > 0 {
		v.add(Red, "total_reached", n)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Limited)) {
		n := p.Limited[name]
		rate, ok := share(n, p.Requests)
		if ok && n >= manyLimits && rate > limitsRate && name != "sms_total" && name != "sms_resend" {
			v.add(Amber, "limit_refuses", name, rate)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.LimitsLeft)) {
		left, ok := p.LimitsLeft[name].Percent()
		switch {
		case !ok || left >= lowLimit || name == "sms_budget_day":
		case name == "code_wrong_all":
			v.add(Amber, "codes_guessed", left)
		default:
			v.add(Amber, "limit_low", name, left)
		}
	}
}

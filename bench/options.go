package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// options are those of the command line.
type options struct {
	quick    bool
	only     []string
	rounds   int
	duration time.Duration // of one round of one side
	out      string
	profile  string
	logLevel string
	peers    map[string]*peer // by measure
	with     []string         // peers that this program starts
	captcha  bool             // checked by both sides
	size     sizes
}

// sizes are the amounts that each measure uses.
type sizes struct {
	levels    []int // connections
	drain     int   // codes that wait for a vendor that answers at once
	drainSlow int   // codes that wait for one that takes 50 ms
	mails     int
	sends     int   // of the way from end to end
	codes     int   // that are checked
	depths    []int // of a short and a long queue; so many of everything else too
	starts    int
	rates     []int // requests a second; 0 is one now and then
	settle    time.Duration
	crowd     int           // connections of an open loop that asks for too much
	retrying  int           // clients that retry at once
	idle      int           // idle connections
	forget    time.Duration // until a number that had a code may ask again
}

// fullSizes take some twenty minutes.
func fullSizes() sizes {
	return sizes{
		levels: []int{1, 8, 64}, drain: 20_000, drainSlow: 20_000, mails: 4_000, sends: 8_000, codes: 20_000,
		depths: []int{4_000, 20_000}, starts: 9, rates: []int{0, 50, 500, 3_000}, settle: 4 * time.Second,
		crowd: 4_000, retrying: 2_000, idle: 10_000, forget: 65 * time.Second,
	}
}

// quickSizes take a minute: they show that every measure works.
func quickSizes() sizes {
	return sizes{
		levels: []int{1, 8, 64}, drain: 4_000, drainSlow: 4_000, mails: 500, sends: 4_000, codes: 2_000,
		depths: []int{1_000, 4_000}, starts: 3, rates: []int{0, 500}, settle: time.Second,
		crowd: 1_000, retrying: 500, idle: 2_000,
	}
}

// parse reads the command line. An unknown measure is an error, so that a typing mistake does not measure nothing.
func parse(args []string) (options, error) {
	o := options{peers: map[string]*peer{}}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(os.Stderr)
	flags.BoolVar(&o.quick, "quick", false, "one short round of small sizes: shows that the program works, not how fast anything is")
	only := flags.String("only", "", "`names` of measures, separated by commas; all by default: "+strings.Join(names(measures()), ", "))
	flags.IntVar(&o.rounds, "rounds", 0, "rounds of each measure (3; quick: 1)")
	flags.DurationVar(&o.duration, "duration", 0, "`time` of one round of one side (3s; quick: 400ms)")
	flags.StringVar(&o.out, "out", "bench/results", "`folder` for the report; empty writes none")
	flags.StringVar(&o.profile, "profile", "", "`folder` for CPU profiles of the API and the worker under load")
	flags.StringVar(&o.logLevel, "log-level", "info", "USHER_LOG_LEVEL of the measured programs")
	grow := flags.Int("grow", 0, "`number` of queued codes, served numbers, messages and accounts up to which the measure growth goes (20000; quick: 4000); 1000000 takes half an hour")
	with := flags.String("peer", "", "`names` of peers that are started and measured in turns with ours, in place of the other measures, separated by commas: "+
		strings.Join(startedPeers, ", "))
	flags.BoolVar(&o.captcha, "captcha", false, "captchas are checked, by ours and the peer; without it by neither")
	for _, name := range []string{"send", "lookup", "register"} {
		o.peers[name] = peerFlags(flags, name)
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, errors.New("takes no arguments besides its flags")
	}
	for name, p := range o.peers {
		if err := p.check(name); err != nil {
			return o, err
		}
	}
	var err error
	if o.with, err = listed("peer", *with, startedPeers); err != nil {
		return o, err
	}
	if o.only, err = listed("only", *only, names(o.measures())); err != nil {
		return o, err
	}
	o.fill(*grow)
	return o, nil
}

// listed reads a list of names. An unknown one is an error.
func listed(option, value string, known []string) ([]string, error) {
	if value == "" {
		return nil, nil
	}
	list := strings.Split(value, ",")
	for _, name := range list {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("-%s: there is no %q", option, name)
		}
	}
	return list, nil
}

// fill sets the defaults of the options that were not given.
func (o *options) fill(grow int) {
	rounds, duration := 3, 3*time.Second
	o.size = fullSizes()
	if o.quick {
		rounds, duration = 1, 400*time.Millisecond
		o.size = quickSizes()
	}
	if o.rounds <= 0 {
		o.rounds = rounds
	}
	if o.duration <= 0 {
		o.duration = duration
	}
	if grow > 0 {
		o.size.depths[1] = grow
	}
}

func names(of []measure) (all []string) {
	for _, m := range of {
		all = append(all, m.name)
	}
	return all
}

// measures are those beside the peers of -peer, or without these the usual ones.
func (o *options) measures() []measure {
	if len(o.with) > 0 {
		return peerMeasures(o.with)
	}
	return measures()
}

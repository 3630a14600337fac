package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"usher/app"
	"usher/app/front"
	"usher/config"
	"usher/secrets"
	"usher/store"
	"usher/store/redisconn"
	"usher/store/redisstore"
	"usher/store/sqlstore"
)

// maxSkew is how far clocks may differ: scripts compare times of several processes, and claims end by the clock.
const maxSkew = time.Second

// keysTried is how many numbers and addresses are opened to check the keys.
const keysTried = 1000

// doctorPatience is the least time-out of a store: a store that is too slow for the settings can then be measured.
const doctorPatience = 3 * time.Second

// storeTimeout bounds all checks of one store together.
const storeTimeout = 30 * time.Second

// How many round trips a time-out must allow. A command of Redis needs one, and some take longer than others; a new
// connection to PostgreSQL, with TLS and a password, needs about eight.
const (
	redisTrips    = 3
	databaseTrips = 8
)

// roundTrip measures the median of five requests. It is 0 when one of them fails.
func roundTrip(ask func() error) time.Duration {
	var trips []time.Duration
	for range 5 {
		began := time.Now()
		if ask() != nil {
			return 0
		}
		trips = append(trips, time.Since(began))
	}
	slices.Sort(trips)
	return trips[len(trips)/2]
}

// examineTrip compares a round trip with the time-out of the store.
func examineTrip(name, setting string, trip time.Duration, trips int, timeout time.Duration) finding {
	if trip == 0 {
		return warn(name+" round trip", errors.New("could not be measured"), "see the other findings about "+name)
	}
	var err error
	wanted := trip * time.Duration(trips)
	least := (wanted + 99*time.Millisecond).Truncate(100 * time.Millisecond)
	if wanted > timeout {
		err = fmt.Errorf("%s is %v, which is less than %d round trips", setting, timeout, trips)
	}
	return fail(fmt.Sprintf("%s round trip %v", name, trip.Round(10*time.Microsecond)), err,
		fmt.Sprintf("raise %s to at least %v, or run the programs closer to the store", setting, least))
}

// helpOf is what to do about a store's error, or the general advice where that is not known.
func helpOf(err error, general string) string {
	if o := store.AsOutage(err); o != nil && o.Cure != "" {
		return o.Cure
	}
	return general
}

const clockHelp = "run NTP on all machines"

// examineRedis checks what the service needs of Redis: its commands, its settings, its clock, and that the namespace is not
// used with other keys.
func examineRedis(ctx context.Context, c config.Common, keys *secrets.Keys) []finding {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	patient := c.Stores
	patient.RedisTimeout = max(patient.RedisTimeout, doctorPatience)
	client, err := app.OpenRedis(patient, nil)
	if err != nil {
		return []finding{fail("Redis", err, "correct USHER_REDIS_URL")}
	}
	defer func() { _ = client.Close() }()
	kept := redisstore.New(client, keys, time.Now).In(string(c.Namespace))
	if err := kept.Probe(ctx); err != nil {
		return []finding{fail("Redis", err, helpOf(err, "start Redis, or correct USHER_REDIS_URL; see docs/redis.md"))}
	}
	trip := roundTrip(func() error { return client.Ping(ctx).Err() })
	findings := []finding{examineTrip("Redis", "USHER_REDIS_TIMEOUT", trip, redisTrips, c.RedisTimeout)}
	const permissions = "see docs/redis.md for the permissions, and for what a hosted Redis must allow"
	warning, err := kept.ProbeAll(ctx)
	findings = append(findings, fail("Redis commands, scripts and queues", err, helpOf(err, permissions)),
		warn("Redis channels", warning, helpOf(warning, permissions)))
	if keys != nil {
		findings = append(findings, fail("namespace "+string(c.Namespace), kept.CheckClaim(ctx),
			"set USHER_NAMESPACE to a name that no other deployment uses; if you replaced the keys on purpose, see docs/keys.md"))
	}
	reports, err := redisconn.InspectAll(ctx, client)
	if err != nil {
		return append(findings, warn("Redis version", err, "allow INFO to the user of USHER_REDIS_URL"))
	}
	for _, report := range reports {
		findings = append(findings, examineNode(report)...)
	}
	return findings
}

// examineNode checks the settings of one server. A cluster has several, and one with another policy loses messages too.
func examineNode(r redisconn.Inspection) []finding {
	name := "Redis"
	if r.Addr != "" {
		name += " " + r.Addr
	}
	var unwritten error
	if r.Unwritten {
		unwritten = errors.New("the last attempt to write to disk failed")
	}
	clock := warn(name+" clock", skewProblem(r.Skew), clockHelp)
	if r.Clockless {
		clock = warn(name+" clock", errors.New("the user may not run TIME"), "allow TIME to the user of USHER_REDIS_URL (ACL: +time)")
	}
	return []finding{
		fail(name+" version "+r.Version, r.VersionProblem(), "upgrade to Redis 6.2 or newer"),
		fail(name+" memory policy", r.PolicyProblem(),
			"set maxmemory-policy noeviction: with any other policy a full Redis deletes queued messages"),
		warn(name+" memory", r.MemoryProblem(), "give it more memory, or find what uses it: see docs/runbooks/RedisMemoryHigh.md"),
		warn(name+" append-only file", r.KeepingProblem(), "set appendonly yes"),
		fail(name+" disk", unwritten, "check its log and the free space on its disk"),
		clock,
	}
}

// skewProblem is the error of a clock that differs too much.
func skewProblem(skew time.Duration) error {
	if skew.Abs() <= maxSkew {
		return nil
	}
	return fmt.Errorf("its clock is %s this machine's", app.Skewed(skew))
}

// examineDatabase checks the schema, the clock, the round trip, that writes are possible, and that the keys can read the
// accounts. SQLite has no round trip worth a check.
func examineDatabase(ctx context.Context, s front.Settings) []finding {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	patient := s.Config.Stores
	patient.DatabaseTimeout = max(patient.DatabaseTimeout, doctorPatience)
	db, err := app.OpenSQL(ctx, patient, nil)
	if err != nil {
		return []finding{fail("database", err, helpOf(err, "start the database, or correct USHER_DATABASE_URL"))}
	}
	defer func() { _ = db.Close() }()
	err = sqlstore.CheckSchema(ctx, db)
	asked := time.Now()
	now, clockErr := db.Now(ctx)
	if clockErr == nil {
		clockErr = skewProblem(redisconn.Skew(now, asked, time.Now()))
	}
	findings := []finding{fail("database schema", err, "run admin migrate up"), warn("database clock", clockErr, clockHelp)}
	if strings.HasPrefix(s.Config.DatabaseURL.Reveal(), "postgres") {
		trip := roundTrip(func() error { return db.Ping(ctx) })
		findings = append(findings, examineTrip("database", "USHER_DATABASE_TIMEOUT", trip, databaseTrips, s.Config.DatabaseTimeout))
	}
	if err == nil {
		err := db.ProbeWrite(ctx)
		findings = append(findings, fail("database writes", err,
			helpOf(err, "point USHER_DATABASE_URL to the primary, and allow its user to change the tables")))
	}
	if err == nil && s.Keys != nil {
		err = sqlstore.NewSeals(db, s.Keys, time.Now).Check(ctx, keysTried)
		findings = append(findings, fail("keys of the accounts", err,
			"correct the order of USHER_SECRET_KEYS, or restore the missing key; see admin keys and docs/keys.md"))
	}
	return findings
}

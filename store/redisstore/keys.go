package redisstore

import (
	"strconv"
	"time"

	"usher/limits"
	"usher/verify"
)

// DefaultNamespace is the namespace of a deployment that has its Redis to itself.
const DefaultNamespace = "usher"

// keyspace makes the keys of one deployment. Every key begins with its text, which is the namespace and a colon; Asynq's
// keys begin with "asynq:". This file has all keys, each with its type, its content and how long it lives.
type keyspace string

// partitions are the possible first letters of a keyed hash: the alphabet of base64 for URLs. Each is equally frequent.
const partitions = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// partition is the hash tag that decides the cluster slot: the first letter of the keyed hash instead of the whole hash, so
// that the outcomes of many numbers' codes share one stream. The letter is doubled because the slots of single letters lie
// close together, and those of double letters spread over the nodes.
func (k keyspace) partition(hash string) string {
	letter := hash[:min(1, len(hash))]
	return string(k) + "{" + letter + letter + "}:"
}

// tag begins the keys about the subject of the keyed hash.
func (k keyspace) tag(hash string) string { return k.partition(hash) + hash + ":" }

// outcomesKey is a stream: the outcomes of a partition's codes; see outcome.lua, which keeps it for two to three days.
func (k keyspace) outcomesKey(subject string) string { return k.partition(subject) + "outcomes" }

// keepCode is how long a code stays known after its end, for its state and its delivery report: vendors repeat a report for
// at most a quarter of an hour, and a person does not wait for an SMS longer than that.
const keepCode = time.Hour

// codeKey is a hash: all that is known of one issued code. It lives until its end and [keepCode] longer.
func (k keyspace) codeKey(subject, id string) string { return k.tag(subject) + "code:" + id }

// newestKey is a string: the id of the newest code for a purpose of which only one code may be entered. It lives until that code's end.
// An app chooses the text behind its id in the purpose, in which no colon or brace can be.
func (k keyspace) newestKey(subject string, purpose verify.Purpose) string {
	return k.tag(subject) + "newest:" + string(purpose)
}

// pauseKey is a hash: when the number's next code may be issued, and the id of the last one. It lives until then.
func (k keyspace) pauseKey(subject string) string { return k.tag(subject) + "pause" }

// limitKey is a string: the window of a limit; see window.lua, which keeps it as long as it counts. The period is part of
// the key because windows of another period have other slots: after a change of settings counting starts again.
// The place is the hash whose partition the key is in, mostly the subject's own.
func (k keyspace) limitKey(place, subject string, limit limits.Limit) string {
	return k.partition(place) + subject + ":window:" + string(limit.Name) + ":" + strconv.FormatInt(limit.Period.Milliseconds(), 10)
}

// recordKey is a string: the windows of a recipient's codes; see record.lua. It lives as long as the longest of them counts.
func (k keyspace) recordKey(subject string) string { return k.tag(subject) + "record" }

// enteredKey is a string: the window of the codes that were entered, beside that of a guard's spends.
func (k keyspace) enteredKey(place, subject string, guard limits.Limit) string {
	return k.limitKey(place, subject, guard) + ":entered"
}

// historyKey is a string: the window of a guard's spends over its history.
func (k keyspace) historyKey(place, subject string, guard limits.Limit) string {
	return k.limitKey(place, subject, limits.Limit{Name: guard.Name, Period: guard.Judged()}) + ":history"
}

// historyEnteredKey is a string: the window of the codes that were entered, beside that of the history.
func (k keyspace) historyEnteredKey(place, subject string, guard limits.Limit) string {
	return k.historyKey(place, subject, guard) + ":entered"
}

// networksKey is a sorted set: networks that a login name was used from, by the times until which they are known. It lives
// until the last of these.
func (k keyspace) networksKey(hash string) string { return k.tag(hash) + "networks" }

// captchaKey is a string: the stamped medium, price and answer. It lives as long as the captcha.
func (k keyspace) captchaKey(hash string) string { return k.tag(hash) + "captcha" }

// triesKey is a hash: how often a captcha was read and how often it was answered wrongly. It lives as long as the captcha.
func (k keyspace) triesKey(hash string) string { return k.tag(hash) + "tries" }

// tokenKey is a string: a used token of a captcha vendor. It lives longer than the vendor accepts the token.
func (k keyspace) tokenKey(hash string) string { return k.tag(hash) + "token" }

// How long the key of a request counts.
const (
	runLease   = 30 * time.Second // longer than any request may take; a run that died blocks its key for this long
	answerLife = 24 * time.Hour
)

// answerKey is a hash: a request with an idempotency key, and its sealed answer.
func (k keyspace) answerKey(hash string) string { return k.tag(hash) + "answer" }

// leastNote is the shortest life of a note about a mail: a database may be restored after the mail's end by some clocks.
const leastNote = time.Hour

// mailKey is a string: the number of the last attempt at a mail, and the name of its caller. It lives until the mail's end
// and [leastNote] longer.
func (k keyspace) mailKey(id string) string { return k.partition(id) + "mail:" + id }

// endedTTL is how long the key of an ended session stays, longer than any request takes: a request that has read the session
// before may still write it back, and must not restore it.
const endedTTL = time.Minute

// sessionKey is a string: the stamped data of a session. It lives as long as the session.
func (k keyspace) sessionKey(hash string) string { return k.tag(hash) + "session" }

// sessionsKey is a sorted set: ids of an owner's sessions by the times at which they end. It lives as long as the last one.
func (k keyspace) sessionsKey(hash string) string { return k.tag(hash) + "sessions" }

// keepReference is how long a vendor may take to report: carriers try for three days at most.
const keepReference = 3 * 24 * time.Hour

// referenceKey is a string: the id of the code that a vendor knows by a name of its own.
func (k keyspace) referenceKey(hash string) string { return k.tag(hash) + "reference" }

// keepEarly is how long a report waits for its reference: longer than a vendor may take to answer a send.
const keepEarly = 2 * time.Minute

// earlyKey is a string: a delivery report, as JSON, that came before the reference of its code. It lives for [keepEarly].
func (k keyspace) earlyKey(hash string) string { return k.tag(hash) + "early" }

// pushKey is a string: a signed push of delivery reports was taken. It lives as long as its caller says.
func (k keyspace) pushKey(hash string) string { return k.tag(hash) + "push" }

// lockKey is a string: a lock is held. The stored word is "turn". It lives as long as its caller says.
func (k keyspace) lockKey(hash string) string { return k.tag(hash) + "turn" }

// scoreKey is a hash: the outcomes of a provider's messages in one minute, of all and by carrier. It lives for [providers.ScoreWindow] and two
// minutes longer.
func (k keyspace) scoreKey(provider string, minute int64) string {
	return string(k) + "{score:" + provider + "}:" + strconv.FormatInt(minute, 10)
}

// bounds begins the keys of a provider's bounds: one script reads both.
func (k keyspace) bounds(provider string) string { return string(k) + "{bounds:" + provider + "}:" }

// slotsKey is a sorted set: the requests that a provider is executing, by the times at which their slots become free. It
// lives until the last of these.
func (k keyspace) slotsKey(provider string) string { return k.bounds(provider) + "slots" }

// secondKey is a string: the window of the messages that a provider got within a second, see window.lua.
func (k keyspace) secondKey(provider string) string { return k.bounds(provider) + "window" }

// leaderKey is a string: the name of the leader. It lives until the leader's lease ends.
func (k keyspace) leaderKey(name string) string { return string(k) + "leader:" + name }

// keepRan is how long the time of a last run is kept, far longer than the longest interval.
const keepRan = 90 * 24 * time.Hour

// ranKey is a string: when a periodic task was last done, in Unix milliseconds.
func (k keyspace) ranKey(name string) string { return string(k) + "ran:" + name }

const (
	// workerLife is how long a worker's heartbeat counts: three of [WorkerPause] and a round trip that is tried twice.
	workerLife = 20 * time.Second

	// workersLife is how long the list of workers outlives the last heartbeat.
	workersLife = time.Minute
)

// workerKey is a hash: what a worker says about itself. It lives for [workerLife] after each heartbeat.
func (k keyspace) workerKey(id string) string { return string(k) + "worker:" + id }

// workersKey is a sorted set: ids of workers by the times of their last heartbeats.
func (k keyspace) workersKey() string { return string(k) + "workers" }

// probeKey is a string: a probe has written it lately. All processes share it. It lives for [redisconn.ProbeTTL].
func (k keyspace) probeKey() string { return string(k) + "probe" }

// slotProbeKey is a string: one run of [Store.ProbeAll] looks for it in a script. It is deleted at once, and else lives for
// [redisconn.ProbeTTL].
func (k keyspace) slotProbeKey(letter, id string) string { return k.partition(letter) + "probe:" + id }

// keepFingerprint is how long unused keys are remembered: a deployment may be stopped for a while.
const keepFingerprint = 30 * 24 * time.Hour

// fingerprintKey is a hash: fingerprints of the keys that are used in the namespace, by their ids.
func (k keyspace) fingerprintKey() string { return string(k) + "keys" }

// keepTokenKeys is how long the history of a key for tokens is kept after a process last published it.
const keepTokenKeys = 30 * 24 * time.Hour

// tokenKeysKey is a hash: when keys for tokens were published and signed, see [TokenKeys]. It lives for [keepTokenKeys].
func (k keyspace) tokenKeysKey() string { return string(k) + "token_keys" }

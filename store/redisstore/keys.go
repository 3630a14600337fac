package redisstore

import (
	"cmp"
	"strconv"

	"usher/limits"
)

// DefaultNamespace is the namespace of a deployment that has its Redis to itself.
const DefaultNamespace = "usher"

// keyspace makes the keys of one deployment. Every key begins with its text, which is the namespace and a colon;
// Asynq's keys begin with "asynq:".
type keyspace string

func newKeyspace(namespace string) keyspace {
	return keyspace(cmp.Or(namespace, DefaultNamespace) + ":")
}

// partitions are what the first letter of a keyed hash may be: the alphabet of base64 for URLs. Each letter
// has as many hashes as another.
const partitions = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// partition is what decides the cluster slot: not the whole hash of what a key is about but its first letter,
// so that what becomes of the codes of many numbers can be noted in one stream. The letter stands there twice:
// the slots of single letters lie in clusters, those of double ones spread over the nodes.
func (k keyspace) partition(hash string) string {
	letter := hash[:min(1, len(hash))]
	return string(k) + "{" + letter + letter + "}:"
}

// tag is what the keys begin with that are about what the keyed hash is of.
func (k keyspace) tag(hash string) string { return k.partition(hash) + hash + ":" }

// outcomesKey is a stream: what became of the codes of a partition, see outcome.lua.
func (k keyspace) outcomesKey(subject string) string { return k.partition(subject) + "outcomes" }

// codes is what the keys of a number's codes begin with; the code's id follows.
func (k keyspace) codes(subject string) string { return k.tag(subject) + "code:" }

// codeKey is a hash: all that is known of one issued code.
func (k keyspace) codeKey(subject, id string) string { return k.codes(subject) + id }

// pauseKey is a hash: when the next code may be issued, and the id of the last.
func (k keyspace) pauseKey(subject string) string { return k.tag(subject) + "pause" }

// limitKey is a string: the window of a limit, see window.lua. The period is part of it because windows of
// another period have other slots: after a change of settings counting starts anew.
// The place is the hash whose partition it is in, mostly the subject's own.
func (k keyspace) limitKey(place, subject string, limit limits.Limit) string {
	return k.partition(place) + subject + ":window:" + string(limit.Name) + ":" + strconv.FormatInt(limit.Period.Milliseconds(), 10)
}

// enteredKey is a string: the window of what was of use, beside that of a guard's spends.
func (k keyspace) enteredKey(place, subject string, guard limits.Limit) string {
	return k.limitKey(place, subject, guard) + ":entered"
}

// historyKey is a string: the window of a guard's spends over its history.
func (k keyspace) historyKey(place, subject string, guard limits.Limit) string {
	return k.limitKey(place, subject, limits.Limit{Name: guard.Name, Period: guard.Judged()}) + ":history"
}

// historyEnteredKey is a string: the window of what was of use, beside that of the history.
func (k keyspace) historyEnteredKey(place, subject string, guard limits.Limit) string {
	return k.historyKey(place, subject, guard) + ":entered"
}

// networksKey is a sorted set: networks that a login name was used from, by the times until which they are known.
func (k keyspace) networksKey(hash string) string { return k.tag(hash) + "networks" }

// captchaKey is a string: the stamped medium, price and answer.
func (k keyspace) captchaKey(hash string) string { return k.tag(hash) + "captcha" }

// triesKey is a hash: looks at a captcha and wrong answers to it.
func (k keyspace) triesKey(hash string) string { return k.tag(hash) + "tries" }

// answerKey is a hash: a request with a key of its client's, and its sealed answer.
func (k keyspace) answerKey(hash string) string { return k.tag(hash) + "answer" }

// mailKey is a string: the number of the last attempt at a mail, and the name of who made it.
func (k keyspace) mailKey(id string) string { return k.partition(id) + "mail:" + id }

// sessionKey is a string: the stamped data of a session.
func (k keyspace) sessionKey(hash string) string { return k.tag(hash) + "session" }

// sessionsKey is a sorted set: ids of an owner's sessions by the times at which they end.
func (k keyspace) sessionsKey(hash string) string { return k.tag(hash) + "sessions" }

// referenceKey is a string: the id of the code that a vendor knows by another name.
func (k keyspace) referenceKey(hash string) string { return k.tag(hash) + "reference" }

// scoreKey is a hash: what became of a provider's messages in one minute.
func (k keyspace) scoreKey(provider string, minute int64) string {
	return string(k) + "{score:" + provider + "}:" + strconv.FormatInt(minute, 10)
}

// turnKey is a string: that somebody has the turn.
func (k keyspace) turnKey(hash string) string { return k.tag(hash) + "turn" }

// bounds is what the keys of a provider's bounds begin with: one script looks at both.
func (k keyspace) bounds(provider string) string { return string(k) + "{bounds:" + provider + "}:" }

// slotsKey is a sorted set: the requests that a provider has, by the times at which their slots come free.
func (k keyspace) slotsKey(provider string) string { return k.bounds(provider) + "slots" }

// secondKey is a string: the window of the messages of a second that a provider got, see window.lua.
func (k keyspace) secondKey(provider string) string { return k.bounds(provider) + "window" }

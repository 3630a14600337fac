package redisstore

import (
	"strconv"

	"usher/limits"
)

// prefix begins every key of this package; Asynq's begin with "asynq:".
const prefix = "usher:"

// partitions are what the first letter of a keyed hash may be: the alphabet of base64 for URLs. Each letter
// has as many hashes as another.
const partitions = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// partition is what decides the cluster slot: not the whole hash of what a key is about but its first letter,
// so that what becomes of the codes of many numbers can be noted in one stream. The letter stands there twice:
// the slots of single letters lie in clusters, those of double ones spread over the nodes.
func partition(hash string) string {
	letter := hash[:min(1, len(hash))]
	return prefix + "{" + letter + letter + "}:"
}

// tag is what the keys begin with that are about what the keyed hash is of.
func tag(hash string) string { return partition(hash) + hash + ":" }

// outcomesKey is a stream: what became of the codes of a partition, see outcome.lua.
func outcomesKey(subject string) string { return partition(subject) + "outcomes" }

// codes is what the keys of a number's codes begin with; the code's id follows.
func codes(subject string) string { return tag(subject) + "code:" }

// codeKey is a hash: all that is known of one issued code.
func codeKey(subject, id string) string { return codes(subject) + id }

// pauseKey is a hash: when the next code may be issued, and the id of the last.
func pauseKey(subject string) string { return tag(subject) + "pause" }

// limitKey is a string: the window of a limit, see window.lua. The period is part of it because windows of
// another period have other slots: after a change of settings counting starts anew.
// The place is the hash whose partition it is in, mostly the subject's own.
func limitKey(place, subject string, limit limits.Limit) string {
	return partition(place) + subject + ":window:" + string(limit.Name) + ":" + strconv.FormatInt(limit.Period.Milliseconds(), 10)
}

// enteredKey is a string: the window of what was of use, beside that of a guard's spends.
func enteredKey(place, subject string, guard limits.Limit) string {
	return limitKey(place, subject, guard) + ":entered"
}

// historyKey is a string: the window of a guard's spends over its history.
func historyKey(place, subject string, guard limits.Limit) string {
	return limitKey(place, subject, limits.Limit{Name: guard.Name, Period: guard.Judged()}) + ":history"
}

// historyEnteredKey is a string: the window of what was of use, beside that of the history.
func historyEnteredKey(place, subject string, guard limits.Limit) string {
	return historyKey(place, subject, guard) + ":entered"
}

// networksKey is a sorted set: networks that a login name was used from, by the times until which they are known.
func networksKey(hash string) string { return tag(hash) + "networks" }

// captchaKey is a string: the stamped medium, price and answer.
func captchaKey(hash string) string { return tag(hash) + "captcha" }

// triesKey is a hash: looks at a captcha and wrong answers to it.
func triesKey(hash string) string { return tag(hash) + "tries" }

// answerKey is a hash: a request with a key of its client's, and its sealed answer.
func answerKey(hash string) string { return tag(hash) + "answer" }

// sessionKey is a string: the stamped data of a session.
func sessionKey(hash string) string { return tag(hash) + "session" }

// sessionsKey is a sorted set: ids of an owner's sessions by the times at which they end.
func sessionsKey(hash string) string { return tag(hash) + "sessions" }

// referenceKey is a string: the id of the code that a vendor knows by another name.
func referenceKey(hash string) string { return tag(hash) + "reference" }

// scoreKey is a hash: what became of a provider's messages in one minute.
func scoreKey(provider string, minute int64) string {
	return prefix + "{score:" + provider + "}:" + strconv.FormatInt(minute, 10)
}

// turnKey is a string: that somebody has the turn.
func turnKey(hash string) string { return tag(hash) + "turn" }

// bounds is what the keys of a provider's bounds begin with: one script looks at both.
func bounds(provider string) string { return prefix + "{bounds:" + provider + "}:" }

// slotsKey is a sorted set: the requests that a provider has, by the times at which their slots come free.
func slotsKey(provider string) string { return bounds(provider) + "slots" }

// secondKey is a string: the window of the messages of a second that a provider got, see window.lua.
func secondKey(provider string) string { return bounds(provider) + "window" }

package redisstore

import (
	"strconv"

	"usher/limits"
	"usher/verify"
)

// prefix begins every key of this package; Asynq's begin with "asynq:".
const prefix = "usher:"

// tag is what decides the cluster slot: the keyed hash of what a key is about.
func tag(hash string) string { return prefix + "{" + hash + "}:" }

// codes is what the keys of a number's codes begin with; the code's id follows.
func codes(subject string) string { return tag(subject) + "code:" }

// codeKey is a hash: all that is known of one issued code.
func codeKey(subject, id string) string { return codes(subject) + id }

// currents is what the keys of a number's current codes begin with; the purpose follows.
func currents(subject string) string { return tag(subject) + "current:" }

// currentKey is a string: the id of the code that counts for a purpose.
func currentKey(subject string, purpose verify.Purpose) string {
	return currents(subject) + string(purpose)
}

// pauseKey is a hash: when the next code may be issued, and the id of the last.
func pauseKey(subject string) string { return tag(subject) + "pause" }

// limitKey is a hash: the window of a limit, see window.lua. The period is part of it because windows of
// another period have other slots: after a change of settings counting starts anew.
func limitKey(subject string, limit limits.Limit) string {
	return tag(subject) + "limit:" + string(limit.Name) + ":" + strconv.FormatInt(limit.Period.Milliseconds(), 10)
}

// enteredKey is a hash: the window of what was of use, beside that of a guard's spends.
func enteredKey(subject string, guard limits.Limit) string {
	return limitKey(subject, guard) + ":entered"
}

// knownKey is a string: the stamp of how long something is known.
func knownKey(hash string) string { return tag(hash) + "known" }

// captchaKey is a string: the stamped answer.
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
	return tag("score:"+provider) + strconv.FormatInt(minute, 10)
}

// turnKey is a string: that somebody has the turn.
func turnKey(hash string) string { return tag(hash) + "turn" }

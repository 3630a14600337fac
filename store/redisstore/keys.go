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

// captchaKey is a string: the stamped answer.
func captchaKey(hash string) string { return tag(hash) + "captcha" }

// triesKey is a hash: looks at a captcha and wrong answers to it.
func triesKey(hash string) string { return tag(hash) + "tries" }

// sessionKey is a string: the stamped data of a session.
func sessionKey(hash string) string { return tag(hash) + "session" }

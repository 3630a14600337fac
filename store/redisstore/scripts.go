package redisstore

import (
	"context"
	"embed"
	"strings"

	"github.com/redis/go-redis/v9"
)

//go:embed scripts/*.lua
var scriptFiles embed.FS

// The scripts, by the files that they are made of. The header of each file says what KEYS and ARGV are and what the script
// returns. A script is run by its hash, and sent in full only to a server that does not know it.
var (
	answerBeginScript     = newScript("answer_begin")
	answerEndScript       = newScript("answer_end")
	captchaFailScript     = newScript("captcha_fail")
	captchaPeekScript     = newScript("captcha_peek")
	codeCancelScript      = newScript("outcome", "code_cancel")
	codeClaimScript       = newScript("outcome", "code_claim")
	codeConfirmScript     = newScript("code_confirm")
	codeIssueScript       = newScript("window", "spend", "record", "record_spend", "outcome", "enqueue", "code_issue")
	codeRecordScript      = newScript("outcome", "code_record")
	codeReportScript      = newScript("outcome", "code_report")
	codeResendScript      = newScript("window", "spend", "record", "record_spend", "outcome", "code_resend")
	codeResendVoidScript  = newScript("window", "refund", "record", "record_refund", "outcome", "code_resend_void")
	codeRestoreScript     = newScript("outcome", "code_restore")
	codeRetryScript       = newScript("outcome", "code_retry")
	codeStatusScript      = newScript("code_status")
	codeTryScript         = newScript("code_try")
	codeUseScript         = newScript("outcome", "code_use")
	codeVoidScript        = newScript("window", "refund", "record", "record_refund", "outcome", "code_void")
	conversionEnterScript = newScript("window", "spend", "conversion_enter")
	fingerprintScript     = newScript("fingerprint")
	knownNoteScript       = newScript("known_note")
	leaderLeadScript      = newScript("leader_lead")
	leaderResignScript    = newScript("leader_resign")
	limitLeftScript       = newScript("window", "spend", "limit_left")
	limitRefundScript     = newScript("window", "refund", "limit_refund")
	limitSpendScript      = newScript("window", "spend", "limit_spend")
	mailNoteScript        = newScript("mail_note")
	sessionCommitScript   = newScript("session_commit")
	sessionEnterScript    = newScript("session_enter")
	tokenKeysScript       = newScript("token_keys")
	slotsProbeScript      = newScript("slots_probe")
	slotAcquireScript     = newScript("window", "spend", "slot_acquire")
)

// newScript joins files of the folder scripts. It panics for a name that is not there.
func newScript(names ...string) *redis.Script {
	var text strings.Builder
	for _, name := range names {
		part, err := scriptFiles.ReadFile("scripts/" + name + ".lua")
		if err != nil {
			panic(err)
		}
		text.Write(part)
	}
	return redis.NewScript(text.String())
}

// call is one script on a pipeline.
type call struct {
	script *redis.Script
	keys   []string
	args   []any
	cmd    *redis.Cmd
}

// run executes the calls in one round trip, and in a second one those that a server did not know, as after its restart.
// Every call has its own error afterwards. It also publishes an empty text on the channels, after the calls and whatever they answer:
// proxies that read scripts may take a channel in a script for a key. That a notification failed does not matter.
func (s *Store) run(ctx context.Context, calls []*call, channels ...string) {
	pipe := s.client.Pipeline()
	for _, c := range calls {
		c.queue(ctx, pipe)
	}
	for _, channel := range channels {
		pipe.Publish(ctx, channel, "")
	}
	_, _ = pipe.Exec(ctx)
	s.sendUnknown(ctx, calls)
}

// runAll is run for callers that need all calls to succeed. It returns the first error.
func (s *Store) runAll(ctx context.Context, calls []*call) error {
	s.run(ctx, calls)
	for _, c := range calls {
		if err := c.cmd.Err(); err != nil {
			return err
		}
	}
	return nil
}

// queue puts the call on the pipeline by its script's hash.
func (c *call) queue(ctx context.Context, pipe redis.Pipeliner) {
	c.cmd = c.script.EvalSha(ctx, pipe, c.keys, c.args...)
}

// sendUnknown sends scripts in full that the server did not know.
func (s *Store) sendUnknown(ctx context.Context, sent []*call) {
	pipe := s.client.Pipeline()
	for _, c := range sent {
		if redis.HasErrorPrefix(c.cmd.Err(), "NOSCRIPT") {
			c.cmd = c.script.Eval(ctx, pipe, c.keys, c.args...)
		}
	}
	_, _ = pipe.Exec(ctx) // every command has its own error; without a command it does nothing
}

// reply is the list that a script returned.
type reply []any

// read returns a script's list.
func read(cmd *redis.Cmd) (reply, error) { return cmd.Slice() }

// text returns an element as text; a missing one is empty.
func (r reply) text(i int) string {
	if i < len(r) {
		s, _ := r[i].(string)
		return s
	}
	return ""
}

// number returns an element as a number; a missing one is 0.
func (r reply) number(i int) int64 {
	if i < len(r) {
		n, _ := r[i].(int64)
		return n
	}
	return 0
}

package redisstore

import (
	"context"
	_ "embed" // for the scripts
	"fmt"

	"github.com/redis/go-redis/v9"
)

// The texts of the scripts. Each says in its header what KEYS and ARGV are and what it returns.
var (
	//go:embed scripts/window.lua
	window string
	//go:embed scripts/outcome.lua
	outcome string
	//go:embed scripts/limit_spend.lua
	limitSpend string
	//go:embed scripts/limit_refund.lua
	limitRefund string
	//go:embed scripts/limit_left.lua
	limitLeft string
	//go:embed scripts/bound_enter.lua
	boundEnter string
	//go:embed scripts/conversion_enter.lua
	conversionEnter string
	//go:embed scripts/code_issue.lua
	codeIssue string
	//go:embed scripts/code_void.lua
	codeVoid string
	//go:embed scripts/code_try.lua
	codeTry string
	//go:embed scripts/code_confirm.lua
	codeConfirm string
	//go:embed scripts/code_use.lua
	codeUse string
	//go:embed scripts/code_restore.lua
	codeRestore string
	//go:embed scripts/code_status.lua
	codeStatus string
	//go:embed scripts/code_claim.lua
	codeClaim string
	//go:embed scripts/code_record.lua
	codeRecord string
	//go:embed scripts/code_report.lua
	codeReport string
	//go:embed scripts/captcha_peek.lua
	captchaPeek string
	//go:embed scripts/captcha_fail.lua
	captchaFail string
	//go:embed scripts/answer_begin.lua
	answerBegin string
	//go:embed scripts/known_note.lua
	knownNote string
	//go:embed scripts/answer_end.lua
	answerEnd string
	//go:embed scripts/session_commit.lua
	sessionCommit string
	//go:embed scripts/session_enter.lua
	sessionEnter string
)

// The scripts, run by their hash and sent in full only to a server that does not know them.
var (
	limitSpendScript      = redis.NewScript(window + limitSpend)
	limitRefundScript     = redis.NewScript(window + limitRefund)
	limitLeftScript       = redis.NewScript(window + limitLeft)
	boundEnterScript      = redis.NewScript(window + boundEnter)
	conversionEnterScript = redis.NewScript(window + conversionEnter)
	codeIssueScript       = redis.NewScript(window + outcome + codeIssue)
	codeVoidScript        = redis.NewScript(window + outcome + codeVoid)
	codeTryScript         = redis.NewScript(codeTry)
	codeConfirmScript     = redis.NewScript(codeConfirm)
	codeUseScript         = redis.NewScript(outcome + codeUse)
	codeRestoreScript     = redis.NewScript(outcome + codeRestore)
	codeStatusScript      = redis.NewScript(codeStatus)
	codeClaimScript       = redis.NewScript(outcome + codeClaim)
	codeRecordScript      = redis.NewScript(outcome + codeRecord)
	codeReportScript      = redis.NewScript(outcome + codeReport)
	captchaPeekScript     = redis.NewScript(captchaPeek)
	captchaFailScript     = redis.NewScript(captchaFail)
	answerBeginScript     = redis.NewScript(answerBegin)
	answerEndScript       = redis.NewScript(answerEnd)
	knownNoteScript       = redis.NewScript(knownNote)

	sessionCommitScript = redis.NewScript(sessionCommit)
	sessionEnterScript  = redis.NewScript(sessionEnter)
)

// call is one script on a pipeline.
type call struct {
	script *redis.Script
	keys   []string
	args   []any
	cmd    *redis.Cmd
}

// queue puts the call on the pipeline by its script's hash.
func (c *call) queue(ctx context.Context, pipe redis.Pipeliner) {
	c.cmd = c.script.EvalSha(ctx, pipe, c.keys, c.args...)
}

// runAll runs scripts in one round trip, and returns the first error.
func (s *Store) runAll(ctx context.Context, calls []*call) error {
	pipe := s.client.Pipeline()
	for _, c := range calls {
		c.queue(ctx, pipe)
	}
	_, _ = pipe.Exec(ctx) // every command has its own error
	sendUnknown(ctx, s.client, calls)
	for _, c := range calls {
		if err := c.cmd.Err(); err != nil {
			return err
		}
	}
	return nil
}

// sendUnknown sends scripts in full to servers that did not know them: after a restart, or at first use.
func sendUnknown(ctx context.Context, client redis.UniversalClient, sent []*call) {
	pipe := client.Pipeline()
	for _, c := range sent {
		if redis.HasErrorPrefix(c.cmd.Err(), "NOSCRIPT") {
			c.cmd = c.script.Eval(ctx, pipe, c.keys, c.args...)
		}
	}
	if pipe.Len() > 0 {
		_, _ = pipe.Exec(ctx)
	}
}

// reply is the list that a script returned.
type reply []any

// read takes a script's list of at least so many elements.
func read(cmd *redis.Cmd, least int) (reply, error) {
	list, err := cmd.Slice()
	if err != nil {
		return nil, err
	}
	if len(list) < least {
		return nil, fmt.Errorf("script returned %d values, want %d", len(list), least)
	}
	return list, nil
}

// text returns an element as text; it is empty for one that is missing.
func (r reply) text(i int) string {
	if i < len(r) {
		s, _ := r[i].(string)
		return s
	}
	return ""
}

// number returns an element as a number; it is 0 for one that is missing.
func (r reply) number(i int) int64 {
	if i < len(r) {
		n, _ := r[i].(int64)
		return n
	}
	return 0
}

package smtp

import (
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/wneessen/go-mail/smtp"

	"usher/providers"
)

const (
	pipelining = "250-x\r\n250 PIPELINING\r\n" // an answer to EHLO
	hangUp     = "\x00up"                      // ends a script whose server closes the connection
	allOK      = "250 a\r\n250 b\r\n354 c\r\n"
	queued     = "250 queued as 1\r\n"
)

// play returns a connection whose server answers each write with the next of the replies, EHLO first, and
// then listens until the end. The function returned waits for that end and tells what was written to the
// server, write by write: a pipe does not join them.
func play(t *testing.T, replies ...string) (c *conn, written func() []string) {
	t.Helper()
	near, far := net.Pipe()
	var writes []string
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { _ = far.Close() }()
		_ = far.SetDeadline(time.Now().Add(10 * time.Second)) // a test that hangs fails
		_, _ = far.Write([]byte("220 x\r\n"))
		for buffer := make([]byte, 1<<16); ; {
			n, err := far.Read(buffer)
			if err != nil {
				return
			}
			writes = append(writes, string(buffer[:n]))
			if len(replies) == 0 {
				continue
			}
			text, hangsUp := strings.CutSuffix(replies[0], hangUp)
			replies = replies[1:]
			_, _ = far.Write([]byte(text))
			if hangsUp {
				return
			}
		}
	}()
	client, err := smtp.NewClient(near, "mail.example.com")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = near.Close()
		<-ended
	})
	return newConn(near, client), func() []string {
		<-ended
		return writes[1:] // without EHLO
	}
}

func mustEnclose(t *testing.T) envelope {
	t.Helper()
	e, err := enclose("a@example.com", "b@example.com", []byte("Subject: c\r\n\r\n"+strings.Repeat("text\r\n", 2000)))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func lines(e envelope) []string {
	lines := make([]string, len(e.commands))
	for i, command := range e.commands {
		lines[i] = command.line
	}
	return lines
}

func TestConn_sends_commands_together_only_where_the_server_offers_it(t *testing.T) {
	t.Parallel()
	e := mustEnclose(t)
	body := string(e.body)
	for name, row := range map[string]struct {
		replies, writes []string
	}{
		"offered":     {[]string{pipelining, allOK, queued}, []string{strings.Join(lines(e), ""), body}},
		"not offered": {[]string{"250 x\r\n", "250 a\r\n", "250 b\r\n", "354 c\r\n", queued}, append(lines(e), body)},
		"no EHLO":     {[]string{"502 what\r\n", "250 x\r\n", "250 a\r\n", "250 b\r\n", "354 c\r\n", queued}, append([]string{"HELO localhost\r\n"}, append(lines(e), body)...)},
		"each reply has many lines": {
			[]string{pipelining, "250-a\r\n250 a\r\n251-b\r\n251 b\r\n354-c\r\n354 c\r\n", "250-x\r\n" + queued},
			[]string{strings.Join(lines(e), ""), body},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, written := play(t, row.replies...)
			reply, failed := c.send(t.Context(), e)
			if failed != nil || queueID(reply) != "1" || c.broken {
				t.Errorf("got %q, %+v, broken %v", reply, failed, c.broken)
			}
			_ = c.net.Close()
			if diff := cmp.Diff(row.writes, written()); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
		})
	}
}

// TestConn_pipelined_failures checks where a failure is said to have come, what goes out after it, and
// whether the connection carries another mail.
func TestConn_pipelined_failures(t *testing.T) {
	t.Parallel()
	const rset = "RSET\r\n"
	for name, row := range map[string]struct {
		replies []string // after EHLO's
		at      stage
		kind    providers.Kind
		after   string // what is written after the commands: nothing, RSET or the mail
		reused  bool
	}{
		"sender refused":                  {replies: []string{"553 a\r\n503 b\r\n503 c\r\n"}, at: atMail, kind: providers.Misconfigured},
		"sender refused for now":          {replies: []string{"451 a\r\n503 b\r\n503 c\r\n"}, at: atMail, kind: providers.Temporary},
		"sender refused, mail wanted":     {replies: []string{"553 a\r\n250 b\r\n354 c\r\n"}, at: atMail, kind: providers.Misconfigured},
		"sender and recipient refused":    {replies: []string{"553 a\r\n550 b\r\n503 c\r\n"}, at: atMail, kind: providers.Misconfigured},
		"closing":                         {replies: []string{"421 a\r\n" + hangUp}, at: atMail, kind: providers.Temporary},
		"recipient refused":               {replies: []string{"250 a\r\n550 b\r\n503 c\r\n", "250 d\r\n"}, at: atRcpt, kind: providers.Rejected, after: rset, reused: true},
		"recipient refused in two lines":  {replies: []string{"250 a\r\n550-b\r\n550 b\r\n554-c\r\n554 c\r\n", "250 d\r\n"}, at: atRcpt, kind: providers.Rejected, after: rset, reused: true},
		"recipient refused for now":       {replies: []string{"250 a\r\n450 b\r\n554 c\r\n"}, at: atRcpt, kind: providers.Temporary},
		"recipient refused, mail wanted":  {replies: []string{"250 a\r\n550 b\r\n354 c\r\n"}, at: atRcpt, kind: providers.Rejected},
		"recipient refused, mail taken":   {replies: []string{"250 a\r\n550 b\r\n250 c\r\n"}, at: atRcpt, kind: providers.Rejected},
		"recipient refused, then closing": {replies: []string{"250 a\r\n550 b\r\n421 c\r\n"}, at: atRcpt, kind: providers.Rejected},
		"recipient refused, then death":   {replies: []string{"250 a\r\n550 b\r\n" + hangUp}, at: atRcpt, kind: providers.Rejected},
		"recipient refused, then rubbish": {replies: []string{"250 a\r\n550 b\r\n\x00\x00\r\n"}, at: atRcpt, kind: providers.Rejected},
		"recipient refused, no reset":     {replies: []string{"250 a\r\n550 b\r\n503 c\r\n", "500 d\r\n"}, at: atRcpt, kind: providers.Rejected, after: rset},
		"recipient's reply is DATA's":     {replies: []string{"250 a\r\n354 b\r\n354 c\r\n"}, at: atRcpt, kind: providers.Temporary},
		"mail refused":                    {replies: []string{"250 a\r\n250 b\r\n554 c\r\n", "250 d\r\n"}, at: atData, kind: providers.Rejected, after: rset, reused: true},
		"mail refused for now":            {replies: []string{"250 a\r\n250 b\r\n451 c\r\n"}, at: atData, kind: providers.Temporary},
		"a reply too many before them":    {replies: []string{"250 x\r\n250 a\r\n550 b\r\n354 c\r\n", "250 d\r\n"}, at: atData, kind: providers.Rejected, after: rset},
		"death at once":                   {replies: []string{hangUp}, at: atMail, kind: providers.Temporary},
		"death after the first reply":     {replies: []string{"250 a\r\n" + hangUp}, at: atRcpt, kind: providers.Temporary},
		"death within the second reply":   {replies: []string{"250 a\r\n250-b\r\n" + hangUp}, at: atRcpt, kind: providers.Temporary},
		"death after the second reply":    {replies: []string{"250 a\r\n250 b\r\n" + hangUp}, at: atData, kind: providers.Temporary},
		"death before the mail goes out":  {replies: []string{allOK + hangUp}, at: atData, kind: providers.Temporary},
		"death after the mail":            {replies: []string{allOK, hangUp}, at: atDot, kind: providers.Unknown, after: "mail"},
		"mail refused after the dot":      {replies: []string{allOK, "554 d\r\n", "250 e\r\n"}, at: atDot, kind: providers.Rejected, after: "mail" + rset, reused: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := mustEnclose(t)
			c, written := play(t, append([]string{pipelining}, row.replies...)...)
			_, failed := c.send(t.Context(), e)
			if failed == nil {
				t.Fatal("the mail was sent")
			}
			if kind := failed.refusal(t.Context(), "b@example.com").Kind; failed.at != row.at || kind != row.kind {
				t.Errorf("got stage %d, kind %v (%v); want %d, %v", failed.at, kind, failed.err, row.at, row.kind)
			}
			if c.broken == row.reused {
				t.Errorf("got broken %v", c.broken)
			}
			_ = c.net.Close()
			got := strings.ReplaceAll(strings.Join(written(), ""), string(e.body), "mail")
			if want := strings.Join(lines(e), "") + row.after; got != want {
				t.Errorf("got %q written, want %q", got, want)
			}
		})
	}
}

// stingy is a connection that takes only so many bytes more.
type stingy struct {
	net.Conn
	left *int
}

func (s stingy) Write(b []byte) (int, error) {
	n, err := s.Conn.Write(b[:min(len(b), *s.left)])
	*s.left -= n
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return n, err
}

// TestConn_knows_whether_the_dot_has_gone: a mail whose end stayed here was surely not sent.
func TestConn_knows_whether_the_dot_has_gone(t *testing.T) {
	t.Parallel()
	for _, size := range []int{100, 20_000} { // within the buffer and beyond it
		e, err := enclose("a@example.com", "b@example.com", []byte(strings.Repeat("t", size)))
		if err != nil {
			t.Fatal(err)
		}
		for _, missing := range []int{1, len(e.body) / 2, len(e.body)} {
			c, _ := play(t, pipelining, allOK)
			left := len(strings.Join(lines(e), "")) + len(e.body) - missing
			c.client.Text.W.Reset(stingy{c.net, &left})
			_, failed := c.send(t.Context(), e)
			if failed == nil || failed.at != atData {
				t.Errorf("%d of %d bytes missing: %+v", missing, len(e.body), failed)
			}
		}
	}
}

// TestPool_pipelined_idle_connection_that_died checks that a mail is repeated only when no reply to it came.
func TestPool_pipelined_idle_connection_that_died(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		reply    string // of the idle connection to the second mail
		repeated bool
	}{
		"without a word":        {hangUp, true},
		"within its first word": {"250-a" + hangUp, true},
		"saying that it closes": {"421 a\r\n" + hangUp, true},
		"after its first reply": {"250 a\r\n" + hangUp, false},
		"after the second":      {"250 a\r\n250 b\r\n" + hangUp, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, _ := play(t, pipelining, allOK, queued, row.reply)
			second, _ := play(t, pipelining, allOK, "250 queued as 2\r\n", "221 bye\r\n")
			conns := []*conn{first, second}
			p := newPool(func(context.Context) (*conn, *failure) {
				c := conns[0]
				conns = slices.Delete(conns, 0, 1)
				return c, nil
			})
			t.Cleanup(p.close)
			if _, failed := p.send(t.Context(), mustEnclose(t)); failed != nil {
				t.Fatal(failed.err)
			}
			reply, failed := p.send(t.Context(), mustEnclose(t))
			switch repeated := failed == nil && queueID(reply) == "2"; {
			case repeated != row.repeated:
				t.Errorf("got %q, %+v", reply, failed)
			case !repeated && failed.refusal(t.Context(), "b@example.com").Kind != providers.Temporary:
				t.Errorf("got %v, want it temporary", failed.err)
			}
		})
	}
}

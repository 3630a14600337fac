package smtp

import (
	"context"
	"errors"
	"net"
	"net/textproto"
	"slices"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

const (
	mailTimeout = 30 * time.Second // one mail, for a caller without a deadline
	byeTimeout  = time.Second      // QUIT and RSET, on whose answers nothing depends
)

// conn is a connection that is logged in. One goroutine at a time uses it.
type conn struct {
	net    net.Conn
	client *smtp.Client
	group  int         // commands that go out before their replies are read: all three, or one
	broken bool        // must not carry another
	expiry *time.Timer // while idle
}

func newConn(raw net.Conn, client *smtp.Client) *conn {
	c := &conn{net: raw, client: client, group: 1}
	if ok, _ := client.Extension("PIPELINING"); ok {
		c.group = len(envelope{}.commands)
	}
	return c
}

// send carries one mail and returns the server's last reply. It ends when ctx does, by closing the
// connection: a dialogue cannot be left in any other way.
func (c *conn) send(ctx context.Context, e envelope) (string, *failure) {
	if err := c.net.SetDeadline(time.Now().Add(mailTimeout)); err != nil {
		c.broken = true
		return "", &failure{at: atMail, err: err}
	}
	stop := context.AfterFunc(ctx, func() { _ = c.net.Close() })
	reply, failed := c.dialogue(e)
	if failed != nil {
		c.reset(failed)
	}
	if !stop() {
		c.broken = true
	}
	return reply, failed
}

// dialogue goes round the library's commands, which wait for each reply before the next goes out.
func (c *conn) dialogue(e envelope) (string, *failure) {
	text := c.client.Text
	for group := range slices.Chunk(e.commands[:], c.group) {
		for _, command := range group {
			_, _ = text.W.WriteString(command.line) // an error comes with Flush
		}
		if err := text.W.Flush(); err != nil {
			return "", &failure{at: group[0].at, err: err}
		}
		for _, command := range group {
			if _, _, err := text.ReadResponse(command.reply); err != nil {
				return "", &failure{at: command.at, err: err}
			}
		}
	}
	n, err := text.W.Write(e.body)
	if err == nil {
		err = text.W.Flush()
	}
	switch {
	case err != nil && (n < len(e.body) || text.W.Buffered() > 0): // the final dot, which comes last, stayed here
		return "", &failure{at: atData, err: err}
	case err != nil:
		return "", &failure{at: atDot, err: err}
	}
	_, reply, err := text.ReadResponse(250)
	if err != nil {
		return "", &failure{at: atDot, err: err}
	}
	return reply, nil
}

// rehearse names sender and recipient and takes both back.
func (c *conn) rehearse(ctx context.Context, e envelope) *failure {
	defer context.AfterFunc(ctx, func() { _ = c.net.Close() })()
	if err := c.net.SetDeadline(time.Now().Add(mailTimeout)); err != nil {
		return &failure{at: atMail, err: err}
	}
	text := c.client.Text
	for _, command := range e.commands[:2] {
		_, _ = text.W.WriteString(command.line) // an error comes with Flush
		err := text.W.Flush()
		if err == nil {
			_, _, err = text.ReadResponse(command.reply)
		}
		if err != nil {
			return &failure{at: command.at, err: err}
		}
	}
	c.broken = c.client.Reset() != nil
	return nil
}

// reset makes the connection ready for the next mail after a refusal of this one, since servers count
// logins. After anything but a plain refusal the connection is given up, and after a temporary one too:
// that may be about the connection itself, such as the number of mails on it.
func (c *conn) reset(failed *failure) {
	c.broken = true
	if failed.at == atMail || !refused(failed.err) {
		return
	}
	_ = c.net.SetDeadline(time.Now().Add(byeTimeout))
	if failed.at == atRcpt && c.group > 1 {
		// DATA has gone out too. A server that wants the mail in spite of its refusal must not get a dot.
		if _, _, err := c.client.Text.ReadResponse(354); !refused(err) {
			return
		}
	}
	c.broken = c.client.Reset() != nil
}

// refused reports whether an error is a server's refusal for good.
func refused(err error) bool {
	reply, ok := errors.AsType[*textproto.Error](err)
	return ok && reply.Code >= 500
}

// refused4 reports whether an error is a server's refusal for now.
func refused4(err error) bool {
	reply, ok := errors.AsType[*textproto.Error](err)
	return ok && reply.Code/100 == 4
}

// quit says goodbye and closes. QQ answers QUIT with rubbish, so the answer is ignored.
func (c *conn) quit() {
	if !c.broken {
		_ = c.net.SetDeadline(time.Now().Add(byeTimeout))
		_ = c.client.Quit()
	}
	_ = c.net.Close()
}

package smtp

import (
	"context"
	"errors"
	"net"
	"net/textproto"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

const (
	mailTimeout = 30 * time.Second // one mail, for a caller without a deadline
	byeTimeout  = time.Second      // QUIT and RSET, on whose answers nothing depends
)

// envelope is one rendered mail.
type envelope struct {
	from, to string
	data     []byte
}

// conn is a connection that is logged in. One goroutine at a time uses it.
type conn struct {
	net    net.Conn
	client *smtp.Client
	broken bool        // must not carry another
	expiry *time.Timer // while idle
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

func (c *conn) dialogue(e envelope) (string, *failure) {
	if err := c.client.Mail("<" + e.from + ">"); err != nil {
		return "", &failure{at: atMail, err: err}
	}
	if err := c.client.Rcpt("<" + e.to + ">"); err != nil {
		return "", &failure{at: atRcpt, err: err}
	}
	w, err := c.client.Data()
	if err != nil {
		return "", &failure{at: atData, err: err}
	}
	if _, err := w.Write(e.data); err != nil {
		return "", &failure{at: atData, err: err}
	}
	// From here on the mail may be on its way: the dot goes out with Close.
	if err := w.Close(); err != nil {
		return "", &failure{at: atDot, err: err}
	}
	if closer, ok := w.(*smtp.DataCloser); ok {
		return closer.ServerResponse(), nil
	}
	return "", nil
}

// reset makes the connection ready for the next mail after a refusal of this one, since servers count
// logins. After anything but a plain refusal the connection is given up, and after a temporary one too:
// that may be about the connection itself, such as the number of mails on it.
func (c *conn) reset(failed *failure) {
	var reply *textproto.Error
	if failed.at == atMail || !errors.As(failed.err, &reply) || reply.Code < 500 {
		c.broken = true
		return
	}
	_ = c.net.SetDeadline(time.Now().Add(byeTimeout))
	c.broken = c.client.Reset() != nil
}

// quit says goodbye and closes. QQ answers QUIT with rubbish, so the answer is ignored.
func (c *conn) quit() {
	if !c.broken {
		_ = c.net.SetDeadline(time.Now().Add(byeTimeout))
		_ = c.client.Quit()
	}
	_ = c.net.Close()
}

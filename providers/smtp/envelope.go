package smtp

import (
	"bytes"
	"strings"

	"usher/reasons"
)

var errAddress = reasons.New(reasons.MailNotRendered, "line break or NUL in an address")

// command is one line of the dialogue with the reply that it wants, as its first digits.
type command struct {
	line  string
	at    stage
	reply int
}

// envelope is one mail as it goes out.
type envelope struct {
	commands [3]command
	body     []byte // with the final dot
}

// enclose makes the envelope of a rendered mail, which is 7 bit. Its error quotes nothing.
func enclose(from, to string, mail []byte) (envelope, error) {
	if strings.ContainsAny(from+to, "\r\n\x00") {
		return envelope{}, errAddress
	}
	return envelope{
		commands: [...]command{
			{"MAIL FROM:<" + from + ">\r\n", atMail, 250},
			{"RCPT TO:<" + to + ">\r\n", atRcpt, 25},
			{"DATA\r\n", atData, 354},
		},
		body: dotted(mail),
	}, nil
}

// dotted returns a mail with its lines ended by CRLF, a dot before each that begins with one, and the final
// dot: byte for byte what [textproto.Writer.DotWriter] writes, which does it one byte at a time.
func dotted(mail []byte) []byte {
	out := make([]byte, 0, len(mail)+len(mail)/64+8) // some room for dots
	for line := range bytes.Lines(mail) {
		if line[0] == '.' {
			out = append(out, '.')
		}
		text := bytes.TrimSuffix(line, []byte("\n"))
		out = append(out, text...)
		if returns := len(text) - len(bytes.TrimRight(text, "\r")); returns%2 == 0 {
			out = append(out, '\r') // after a pair of CR the line still lacks its own, as the standard library sees it
		}
		out = append(out, '\n')
	}
	if len(mail) == 0 {
		out = append(out, "\r\n"...)
	}
	return append(out, ".\r\n"...)
}

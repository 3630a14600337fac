package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"time"
)

// wire is one connection that stays open between requests. It reads just enough of an answer to find its
// end: the generator shares its cores with what it measures, and net/http's client would take as much of
// them as the server does.
type wire struct {
	addr   string
	until  time.Time // when the connection is cut off in any case
	conn   net.Conn
	reader *bufio.Reader
}

// do sends a whole request and returns the status of the answer.
func (w *wire) do(request []byte) (status int, err error) {
	if w.conn == nil {
		if err := w.dial(); err != nil {
			return 0, err
		}
	}
	keep := false
	if _, err = w.conn.Write(request); err == nil {
		status, keep, err = w.read()
	}
	if !keep {
		w.close()
	}
	return status, err
}

func (w *wire) dial() (err error) {
	ctx, cancel := context.WithDeadline(context.Background(), w.until)
	defer cancel()
	if w.conn, err = new(net.Dialer).DialContext(ctx, "tcp", w.addr); err != nil {
		w.conn = nil
		return err
	}
	w.reader = bufio.NewReaderSize(w.conn, 16<<10)
	return w.conn.SetDeadline(w.until)
}

func (w *wire) close() {
	if w.conn != nil {
		_ = w.conn.Close()
		w.conn = nil
	}
}

// read takes one answer off the connection, which may be used again if keep says so.
func (w *wire) read() (status int, keep bool, err error) {
	line, err := w.reader.ReadSlice('\n')
	if err != nil {
		return 0, false, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return 0, false, fmt.Errorf("not an answer: %.40q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, false, err
	}
	keep = line[7] == '1'
	length, chunked := -1, false
	for {
		line, err := w.reader.ReadSlice('\n')
		if err != nil {
			return 0, false, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, false, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, []byte("Connection")):
			keep = !bytes.EqualFold(value, []byte("close"))
		}
	}
	end, err := w.skip(status, length, chunked)
	return status, keep && !end, err
}

// skip reads the body; end says that its end was that of the connection.
func (w *wire) skip(status, length int, chunked bool) (end bool, err error) {
	switch {
	case chunked:
		if _, err = io.Copy(io.Discard, httputil.NewChunkedReader(w.reader)); err == nil {
			_, err = w.reader.ReadSlice('\n') // behind the last chunk
		}
	case length >= 0:
		_, err = w.reader.Discard(length)
	case status != http.StatusNoContent && status != http.StatusNotModified:
		_, err = io.Copy(io.Discard, w.reader)
		return true, err
	}
	return false, err
}

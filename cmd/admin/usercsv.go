package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"usher/accounts"
)

// maxLine is the maximum length of a line in bytes; usual lines have less than a thousand.
const maxLine = 16 << 10

// userColumns are the names in the first line of an export, in any order.
var userColumns = []string{
	"username", "password", "mobile", "email", "is_active", "is_superuser", "email_active", "date_joined",
}

// errHeader is the error of a file whose first line has other names.
var errHeader = errors.New("the first line must have the columns " + strings.Join(userColumns, ",") + ", in any order")

// badLine is the error of a line that cannot be read.
type badLine string

// Error returns the reason. It quotes nothing of the line.
func (e badLine) Error() string { return string(e) }

// userReader reads users from an export, one a line. A line feed ends a line even within quotes, so that line numbers are
// those of an editor and a broken line affects no other.
type userReader struct {
	in     *bufio.Reader
	order  []int // of userColumns in a line
	line   int   // number of the last line read
	offset int64 // bytes read
	fields *bufio.Reader
}

// newUserReader reads the first line.
func newUserReader(in io.Reader) (*userReader, error) {
	r := &userReader{in: bufio.NewReaderSize(in, maxLine), fields: bufio.NewReader(nil)}
	line, err := r.read()
	if bad := badLine(""); errors.As(err, &bad) || errors.Is(err, io.EOF) {
		return nil, errHeader
	}
	if err != nil {
		return nil, err
	}
	names, err := r.split(bytes.TrimPrefix(line, []byte("\ufeff")))
	if err != nil || len(names) != len(userColumns) {
		return nil, errHeader
	}
	for _, name := range userColumns {
		at := slices.Index(names, name)
		if at < 0 {
			return nil, errHeader
		}
		r.order = append(r.order, at)
	}
	return r, nil
}

// skip reads all lines before the one with this number.
func (r *userReader) skip(before int) error {
	for r.line < before-1 {
		_, err := r.read()
		if bad := badLine(""); err != nil && !errors.As(err, &bad) {
			return err
		}
	}
	return nil
}

// next returns the user of the next line that is not empty. The error is a badLine, io.EOF after the last line, or an
// error of the file.
func (r *userReader) next() (accounts.ImportUser, error) {
	for {
		line, err := r.read()
		if err != nil {
			return accounts.ImportUser{}, err
		}
		if len(line) == 0 {
			continue
		}
		if !utf8.Valid(line) {
			return accounts.ImportUser{}, badLine("not in UTF-8")
		}
		columns, err := r.split(line)
		if err != nil {
			return accounts.ImportUser{}, badLine("quotes that do not match")
		}
		if len(columns) != len(userColumns) {
			return accounts.ImportUser{}, badLine("another number of columns than the first line")
		}
		return r.user(columns)
	}
}

// read returns the next line without its end. The bytes are valid until the next call.
func (r *userReader) read() ([]byte, error) {
	line, err := r.in.ReadSlice('\n')
	r.offset += int64(len(line))
	if len(line) > 0 {
		r.line++
	}
	tooLong := errors.Is(err, bufio.ErrBufferFull)
	for errors.Is(err, bufio.ErrBufferFull) {
		var more []byte
		more, err = r.in.ReadSlice('\n')
		r.offset += int64(len(more))
	}
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	case tooLong:
		return nil, badLine("longer than " + strconv.Itoa(maxLine) + " bytes")
	case len(line) == 0:
		return nil, io.EOF
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
}

// split returns the fields of a line.
func (r *userReader) split(line []byte) ([]string, error) {
	r.fields.Reset(bytes.NewReader(line))
	return csv.NewReader(r.fields).Read() // it uses a bufio.Reader without copying it
}

// user reads the columns of a line, except for the checks that the importer makes.
func (r *userReader) user(columns []string) (accounts.ImportUser, error) {
	at := func(name string) string { return columns[r.order[slices.Index(userColumns, name)]] }
	user := accounts.ImportUser{
		Username: at("username"), PasswordHash: at("password"), Mobile: at("mobile"), Email: at("email"),
	}
	for _, flag := range []struct {
		column string
		into   *bool
	}{{"is_active", &user.Active}, {"is_superuser", &user.Superuser}, {"email_active", &user.EmailActive}} {
		value, err := strconv.ParseBool(at(flag.column))
		if err != nil {
			return accounts.ImportUser{}, badLine(flag.column + ": neither true nor false")
		}
		*flag.into = value
	}
	var err error
	user.JoinedAt, err = parseJoined(at("date_joined"))
	return user, err
}

// parseJoined reads a time in the format of PostgreSQL, MySQL or Django. A time without a zone is in UTC.
func parseJoined(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	text = strings.Replace(text, "T", " ", 1)
	for _, layout := range []string{"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z07", "2006-01-02 15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 {
			return t, nil
		}
	}
	return time.Time{}, badLine("date_joined: want a time such as 2024-05-06 07:08:09+08")
}

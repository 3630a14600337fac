package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/input"
)

// Bounds of a body in bytes, and of a text in characters. The longest text that any endpoint needs is an activation token.
const (
	maxBody = 16 << 10
	maxText = 1 << 10
)

// maxOf returns the bound of a field in characters. A proof is longer than the other texts: it has an address in base64.
func maxOf(name accounts.Field) int {
	if name == fieldProof {
		return 4 * maxText
	}
	return maxText
}

// bom is the byte order mark that some programs write before a text in UTF-8.
const bom = "\ufeff"

// Errors of a body as a whole.
var (
	errMalformed    = errors.New("malformed request")
	errUnknownField = errors.New("unknown field")
	errTooLarge     = errors.New("body too large")
	errMediaType    = errors.New("body is not of the expected type")
)

// bodyError refuses a field of a body because of its type or encoding.
type bodyError struct {
	field   accounts.Field
	problem accounts.Problem
}

// Error names the field, not its value.
func (e *bodyError) Error() string { return "field " + string(e.field) + ": " + string(e.problem) }

// decode reads the JSON body into dst, a pointer to a struct of strings and booleans with json tags. Bodies are flat
// objects, and decode reads them token by token, since encoding/json is not strict enough: here names match exactly and
// are unique, nothing is nested, and nothing follows. Null means the same as a missing field.
func decode(c echo.Context, dst any) error {
	if !isJSON(c.Request().Header.Get(echo.HeaderContentType)) {
		return errMediaType
	}
	body, err := readBody(c)
	if err != nil {
		return err
	}
	return decodeObject(body, fieldsOf(dst))
}

func isJSON(contentType string) bool {
	if contentType == echo.MIMEApplicationJSON { // nearly always; saves the time to parse
		return true
	}
	media, params, err := mime.ParseMediaType(contentType)
	return err == nil && media == echo.MIMEApplicationJSON && isUTF8(params["charset"])
}

// isUTF8 also accepts the name without its hyphen and in wrong quotes, as clients write it, and ASCII, which is a part of
// UTF-8. readBody checks the body itself.
func isUTF8(charset string) bool {
	return slices.Contains([]string{"", "utf-8", "utf8", "us-ascii", "ascii"}, strings.ToLower(strings.Trim(charset, `' `)))
}

func readBody(c echo.Context) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, errTooLarge
	case err != nil || !utf8.Valid(body):
		return nil, errMalformed
	}
	return bytes.TrimPrefix(body, []byte(bom)), nil
}

// fieldsOf maps the names of dst's fields, and of those that are embedded in it, to pointers to them.
func fieldsOf(dst any) map[string]any {
	v := reflect.ValueOf(dst).Elem()
	fields := make(map[string]any, v.NumField())
	for _, field := range reflect.VisibleFields(v.Type()) {
		if name := field.Tag.Get("json"); name != "" && name != "-" {
			fields[name] = v.FieldByIndex(field.Index).Addr().Interface()
		}
	}
	return fields
}

func decodeObject(body []byte, fields map[string]any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return errMalformed
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return errMalformed
		}
		// Each field is deleted when it was read, so a repeated name counts as unknown.
		field, known := fields[name.(string)]
		if !known {
			return errUnknownField
		}
		delete(fields, name.(string))
		value, err := dec.Token()
		if err != nil {
			return errMalformed
		}
		if err := assign(field, value, accounts.Field(name.(string))); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return errMalformed
	}
	if _, err := dec.Token(); err != io.EOF {
		return errMalformed
	}
	return nil
}

func assign(field, value any, name accounts.Field) error {
	switch field := field.(type) {
	case *string:
		text, ok := value.(string)
		if number, isNumber := value.(json.Number); isNumber && numeric[name] {
			text, ok = number.String(), strings.Trim(number.String(), "0123456789") == ""
		}
		if !ok && value != nil {
			return &bodyError{name, wrongType}
		}
		if problem := badTextOver(text, maxOf(name)); problem != "" {
			return &bodyError{name, problem}
		}
		*field = trimmed(name, text)
	case *bool:
		set, ok := value.(bool)
		if !ok && value != nil {
			return &bodyError{name, wrongType}
		}
		*field = set
	}
	return nil
}

// numeric are the fields that programs may send as JSON numbers.
var numeric = map[accounts.Field]bool{
	accounts.FieldMobile: true, accounts.FieldSMSCode: true, accounts.FieldEmailCode: true, fieldCode: true, fieldCaptcha: true, fieldAnswer: true, fieldLogin: true,
}

// trimmed removes what a clipboard adds, so that a field without visible characters is empty. Passwords stay unchanged. The
// parsers of numbers, codes and names forgive more, see package input.
func trimmed(name accounts.Field, text string) string {
	if strings.HasPrefix(string(name), string(accounts.FieldPassword)) {
		return text
	}
	return input.Trim(text)
}

// badText refuses text that no field may contain: NUL, at which stores truncate texts or which they refuse, and U+FFFD,
// which replaces a broken escape sequence.
func badText(text string) accounts.Problem { return badTextOver(text, maxText) }

// badTextOver is badText with another bound in characters.
func badTextOver(text string, most int) accounts.Problem {
	switch {
	case len(text) > most && utf8.RuneCountInString(text) > most:
		return accounts.TooLong
	case !utf8.ValidString(text), strings.ContainsAny(text, "\x00\uFFFD"):
		return accounts.Malformed
	}
	return ""
}

// pathText returns a parameter of the path as text. Echo leaves it escaped when the path contains an escaped slash or the
// like.
func pathText(c echo.Context, name string) (string, error) {
	text := c.Param(name)
	if c.Request().URL.RawPath != "" {
		unescaped, err := url.PathUnescape(text)
		if err != nil {
			return "", errMalformed
		}
		text = unescaped
	}
	if problem := badText(text); problem != "" {
		return "", &bodyError{accounts.Field(name), problem}
	}
	return trimmed(accounts.Field(name), text), nil
}

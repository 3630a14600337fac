package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// loadContract reads openapi.yaml once for all tests of the binary.
var loadContract = sync.OnceValues(func() (*openapi3.T, error) {
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(text)
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(loader.Context)
})

var contractRouter = sync.OnceValues(func() (routers.Router, error) {
	doc, err := loadContract()
	if err != nil {
		return nil, err
	}
	return legacy.NewRouter(doc)
})

// keySetPath is the only path outside /v1/ that the contract describes.
const keySetPath = "/.well-known/jwks.json"

// contract is a transport that holds every answer of the API against openapi.yaml.
type contract struct {
	t    testing.TB
	next http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (c *contract) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(req)
	if err != nil || !strings.HasPrefix(req.URL.Path, "/v1/") && req.URL.Path != keySetPath || req.Method == "HEAD" || req.Method == "OPTIONS" {
		return res, err
	}
	text, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(text))
	if err != nil {
		return res, err
	}
	router, err := contractRouter()
	if err != nil {
		c.t.Errorf("openapi.yaml: %v", err)
		return res, nil
	}
	plain := req.Clone(req.Context())
	plain.URL.Scheme, plain.URL.Host = "", ""
	route, params, err := router.FindRoute(plain)
	if err != nil { // the contract knows no such route
		c.refusal(req, res, text)
		return res, nil //nolint:nilerr // the refusal is the answer
	}
	shape := shapeOf(route.Operation, res, text)
	if _, known := keptShapes.Load(shape); !known {
		err = openapi3filter.ValidateResponse(req.Context(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route},
			Status:                 res.StatusCode, Header: res.Header, Body: io.NopCloser(bytes.NewReader(text)),
			Options: &openapi3filter.Options{IncludeResponseStatus: true},
		})
		if err != nil {
			c.t.Errorf("%s %s: answer breaks the contract: %v\n%d %s", req.Method, req.URL.Path, err, res.StatusCode, shorten(string(text)))
		} else {
			keptShapes.Store(shape, true)
		}
	}
	if res.StatusCode >= http.StatusBadRequest {
		c.errno(req, res.StatusCode, errnos(route.Operation, strconv.Itoa(res.StatusCode)), text)
	}
	return res, nil
}

// keptShapes are the shapes of answers that kept the contract. The library compiles the schemas anew for every answer, which was
// a third of what these tests cost.
var keptShapes sync.Map

// shapeOf tells answers apart as far as the contract can: by operation, status, headers and body. Of a number it keeps the count
// of digits, and of a longer text its length and the kinds of its characters, as ids differ in no more.
func shapeOf(op *openapi3.Operation, res *http.Response, text []byte) string {
	var shape strings.Builder
	fmt.Fprintf(&shape, "%p %d", op, res.StatusCode)
	for _, name := range slices.Sorted(maps.Keys(res.Header)) {
		if name != "Date" && name != "Content-Length" {
			fmt.Fprintf(&shape, " %s=%s", name, shapeOfValue(res.Header.Get(name)))
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if err != nil {
			return shape.String() + " " + err.Error()
		}
		fmt.Fprintf(&shape, " %T %s", token, shapeOfValue(fmt.Sprint(token)))
	}
}

func shapeOfValue(text string) string {
	digits := func(r rune) rune {
		if unicode.IsDigit(r) {
			return '0'
		}
		return r
	}
	if len(text) < 16 { // a name, a word of a list, a number
		return strings.Map(digits, text)
	}
	kinds := map[rune]bool{}
	for _, r := range text {
		if r = digits(r); r < unicode.MaxASCII && unicode.IsLetter(r) {
			r = 'a'
		}
		kinds[r] = true
	}
	return fmt.Sprint(min(len(text), 1024), slices.Sorted(maps.Keys(kinds))) // pictures and recordings are longer
}

// errno holds the errno of a refusal against those that the contract allows.
func (c *contract) errno(req *http.Request, status int, allowed []string, text []byte) {
	var refusal struct{ Errno string }
	if err := json.Unmarshal(text, &refusal); err != nil || !slices.Contains(allowed, refusal.Errno) {
		c.t.Errorf("%s %s: %d with errno %s, the contract says %v", req.Method, req.URL.Path, status, refusal.Errno, allowed)
	}
}

// errnos is what the contract says an operation may refuse with under a status: in x-errno of the
// operation, or of the response where it is the same for all.
func errnos(op *openapi3.Operation, status string) []string {
	all, _ := op.Extensions["x-errno"].(map[string]any)
	list, found := all[status].([]any)
	if res := op.Responses.Value(status); !found && res != nil {
		list, _ = res.Value.Extensions["x-errno"].([]any)
	}
	names := make([]string, len(list))
	for i, errno := range list {
		names[i], _ = errno.(string)
	}
	return names
}

// refusal is what a path or method outside the contract must be answered with.
func (c *contract) refusal(req *http.Request, res *http.Response, text []byte) {
	if res.StatusCode != http.StatusNotFound && res.StatusCode != http.StatusMethodNotAllowed &&
		res.StatusCode != http.StatusForbidden && res.StatusCode != http.StatusBadRequest {
		c.t.Errorf("%s %s is not in the contract and answered with %d", req.Method, req.URL.Path, res.StatusCode)
	}
	if !bytes.HasPrefix(text, []byte(`{"errno":"4`)) {
		c.t.Errorf("%s %s: refused without the envelope: %s", req.Method, req.URL.Path, shorten(string(text)))
	}
}

func TestContract_is_valid_and_notices_a_leak(t *testing.T) {
	t.Parallel()
	if _, err := loadContract(); err != nil {
		t.Fatal(err)
	}
	leaky := &contract{t: &silent{TB: t}, next: answering(
		`{"errno":"0","errmsg":"OK","request_id":"12345678","data":{"sms_code_id":"` + strings.Repeat("a", 44) +
			`","expires_in":300,"resend_after":60,"code":"123456"}}`)}
	req := must(http.NewRequestWithContext(t.Context(), "POST", "http://x/v1/sms-codes", nil))(t)
	res := must(leaky.RoundTrip(req))(t)
	_ = res.Body.Close()
	if !leaky.t.(*silent).failed {
		t.Error("an answer with a field that the contract does not know passed")
	}
}

// silent notes a failure instead of reporting it.
type silent struct {
	testing.TB
	failed bool
}

func (s *silent) Errorf(string, ...any) { s.failed = true }

// answering is a transport that gives every request the same answer.
type answering string

func (a answering) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusAccepted, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(string(a))),
	}, nil
}

package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"html/template"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// TestDocs_page_is_made_from_the_contract compares docs.html with what openapi.yaml gives; -update
// writes it.
func TestDocs_page_is_made_from_the_contract(t *testing.T) {
	t.Parallel()
	doc, err := loadContract()
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	err = template.Must(template.ParseFiles("testdata/docs.tmpl")).Execute(&page, describeContract(doc))
	if err != nil {
		t.Fatal(err)
	}
	if update := flag.Lookup("update"); update != nil && update.Value.String() == "true" {
		if err := os.WriteFile("docs.html", page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept := must(os.ReadFile("docs.html"))(t)
	if !bytes.Equal(kept, page.Bytes()) {
		t.Error("docs.html is not what openapi.yaml gives; go test ./api -update writes it")
	}
}

func TestDocs_load_nothing_from_elsewhere(t *testing.T) {
	t.Parallel()
	p := setup(t, nil).person()
	got := p.get("/docs").wantPage(200, "/v1/registrations")
	if outside := regexp.MustCompile(`(?i)<(script|img|link|iframe)|src=|url\(|@import`).FindString(got.text); outside != "" {
		t.Errorf("the page loads something: %s", outside)
	}
	if policy := got.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'; style-src 'sha256-") {
		t.Errorf("policy is %q", policy)
	}
	if yaml := p.get("/openapi.yaml"); yaml.text != string(must(os.ReadFile("openapi.yaml"))(t)) {
		t.Error("/openapi.yaml is not the contract")
	}
}

// TestContract_has_every_route holds the routes that are served against the contract.
func TestContract_has_every_route(t *testing.T) {
	t.Parallel()
	doc, err := loadContract()
	if err != nil {
		t.Fatal(err)
	}
	routes := string(must(os.ReadFile("routes.go"))(t))
	for _, found := range regexp.MustCompile(`"(/v1/[^"]+)"`).FindAllStringSubmatch(routes, -1) {
		path := regexp.MustCompile(`:(\w+)`).ReplaceAllString(found[1], "{$1}")
		if doc.Paths.Value(path) == nil {
			t.Errorf("%s is not in openapi.yaml", path)
		}
	}
	for path := range doc.Paths.Map() {
		served := regexp.MustCompile(`\{(\w+)\}`).ReplaceAllString(path, ":$1")
		if !strings.Contains(routes, `"`+served+`"`) {
			t.Errorf("%s is not in routes.go", path)
		}
	}
}

// TestContract_is_complete_for_every_operation: the status of every refusal has its errnos, and what is
// sent and answered has an example, which the contract's own validation compares with the schema.
func TestContract_is_complete_for_every_operation(t *testing.T) {
	t.Parallel()
	doc, err := loadContract()
	if err != nil {
		t.Fatal(err)
	}
	known := doc.Components.Schemas["Refusal"].Value.Properties["errno"].Value.Enum
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			for status, res := range op.Responses.Map() {
				list := errnos(op, status)
				if strings.HasPrefix(status, "2") != (len(list) == 0) {
					t.Errorf("%s %s: errnos of %s are %v", method, path, status, list)
				}
				for _, errno := range list {
					if !slices.Contains(known, any(errno)) {
						t.Errorf("%s %s: errno %s is not in the table", method, path, errno)
					}
				}
				if media := res.Value.Content["application/json"]; len(res.Value.Content) > 0 && (media == nil || media.Example == nil) {
					t.Errorf("%s %s: %s has no example", method, path, status)
				}
			}
			declared, _ := op.Extensions["x-errno"].(map[string]any)
			for status := range declared {
				if op.Responses.Value(status) == nil {
					t.Errorf("%s %s: errnos of %s, which is no response", method, path, status)
				}
			}
			if op.RequestBody != nil && op.RequestBody.Value.Content["application/json"].Example == nil {
				t.Errorf("%s %s: no example of a body", method, path)
			}
		}
	}
}

type docPage struct {
	Title, Lead string
	Errnos      []docField
	Groups      []docGroup
}

type docGroup struct {
	Name, Text string
	Operations []docOperation
}

type docOperation struct {
	Method, Path, ID, Summary, Text string
	Params, Headers, Body           []docField
	Sent, Answered                  string // examples
	Answers                         []docAnswer
}

type docField struct {
	Name, Type, Text string
	Required         bool
}

type docAnswer struct {
	Status, Text string
	Errnos       []docField
	Data         []docField
}

func describeContract(doc *openapi3.T) docPage {
	page := docPage{Title: doc.Info.Title, Lead: doc.Info.Description, Errnos: describeErrnos(doc)}
	for _, tag := range doc.Tags {
		group := docGroup{Name: tag.Name, Text: tag.Description}
		for _, path := range doc.Paths.InMatchingOrder() {
			operations := doc.Paths.Value(path).Operations()
			for _, method := range []string{"POST", "GET", "PUT", "DELETE"} {
				if op := operations[method]; op != nil && slices.Contains(op.Tags, tag.Name) {
					group.Operations = append(group.Operations, describeOperation(method, path, op, page.Errnos))
				}
			}
		}
		for name, item := range doc.Webhooks {
			if op := item.Post; slices.Contains(op.Tags, tag.Name) {
				group.Operations = append(group.Operations, describeOperation("event", name, op, page.Errnos))
			}
		}
		slices.SortFunc(group.Operations, func(a, b docOperation) int { return strings.Compare(a.Path, b.Path) })
		page.Groups = append(page.Groups, group)
	}
	return page
}

// describeErrnos reads the table that the contract writes in one line: number, meaning, dot, number and so on.
func describeErrnos(doc *openapi3.T) (table []docField) {
	_, rows, _ := strings.Cut(doc.Components.Schemas["Refusal"].Value.Properties["errno"].Value.Description, ". ")
	for row := range strings.SplitSeq(rows, " · ") {
		number, meaning, _ := strings.Cut(row, " ")
		table = append(table, docField{Name: number, Text: meaning})
	}
	return table
}

func describeOperation(method, path string, op *openapi3.Operation, table []docField) docOperation {
	d := docOperation{Method: method, Path: path, ID: op.OperationID, Summary: op.Summary, Text: op.Description}
	for _, p := range op.Parameters {
		field := docField{p.Value.Name, "string", p.Value.Description, p.Value.Required}
		if p.Value.In == openapi3.ParameterInHeader {
			d.Headers = append(d.Headers, field)
		} else {
			d.Params = append(d.Params, field)
		}
	}
	if op.RequestBody != nil {
		media := op.RequestBody.Value.Content["application/json"]
		d.Body, d.Sent = describeFields(media.Schema.Value), example(media.Example)
		if len(media.Schema.Value.AllOf) == 2 { // an event: its data is what differs
			d.Body = describeFields(media.Schema.Value.AllOf[1].Value.Properties["data"].Value)
		}
	}
	for _, status := range op.Responses.Keys() {
		res := op.Responses.Value(status).Value
		a := docAnswer{Status: status, Text: *res.Description}
		for _, row := range table {
			if slices.Contains(errnos(op, status), row.Name) {
				a.Errnos = append(a.Errnos, row)
			}
		}
		if media := res.Content["application/json"]; media != nil && len(media.Schema.Value.AllOf) == 2 {
			a.Data = describeFields(media.Schema.Value.AllOf[1].Value.Properties["data"].Value)
			d.Answered = example(media.Example)
		}
		d.Answers = append(d.Answers, a)
	}
	slices.SortFunc(d.Answers, func(a, b docAnswer) int { return strings.Compare(a.Status, b.Status) })
	return d
}

// example shows a body, and an answer in the order in which it is sent.
func example(value any) string {
	if answer, ok := value.(map[string]any); ok && answer["errno"] != nil {
		value = struct {
			Errno     any `json:"errno"`
			Errmsg    any `json:"errmsg"`
			Data      any `json:"data"`
			RequestID any `json:"request_id"`
		}{answer["errno"], answer["errmsg"], answer["data"], answer["request_id"]}
	}
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func describeFields(schema *openapi3.Schema) []docField {
	var fields []docField
	for name, property := range schema.Properties {
		v := property.Value
		kind := strings.Join(v.Type.Slice(), " or ")
		var words []string
		for _, word := range v.Enum {
			if text, ok := word.(string); ok {
				words = append(words, text)
			}
		}
		if len(words) > 0 {
			kind = strings.Join(words, ", ")
		}
		fields = append(fields, docField{name, kind, v.Description, slices.Contains(schema.Required, name)})
	}
	slices.SortFunc(fields, func(a, b docField) int { return strings.Compare(a.Name, b.Name) })
	return fields
}

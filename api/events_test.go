package api_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"usher/events"
)

// fullData is the data of each type of event with every field, as a store fills it in.
func fullData() map[events.Type]any {
	active := true
	account := events.AccountData{
		AccountID: "0193a1b2-c3d4-7e8f-9a0b-1c2d3e4f5061", Seq: 3, Active: &active, Mobile: "+4479****1234", Email: "l***@example.com",
	}
	moved := account
	moved.Changed = []string{"mobile", "email"}
	return map[events.Type]any{
		events.AccountCreated: account, events.AccountActivated: account, events.AccountPasswordChanged: account,
		events.AccountBlocked: account, events.AccountUnblocked: account, events.AccountContactChanged: moved,
		events.AccountDeleted: events.AccountData{AccountID: account.AccountID, Seq: 4},
		events.VerificationApproved: events.VerificationData{
			VerificationID: "id", AppID: "app_1", Channel: "sms", Purpose: "checkout", To: "138****8000",
		},
		events.MessageUndelivered: events.MessageData{
			MessageID: "id", Channel: "email", Purpose: "activation", To: "l***@example.com", State: "failed", Reason: "rejected",
		},
	}
}

// eventSchemas are the schema of an event's body and that of its data.
func eventSchemas(t *testing.T, doc *openapi3.T, typ events.Type) (body, data *openapi3.Schema) {
	t.Helper()
	item := doc.Webhooks[string(typ)]
	if item == nil || item.Post == nil {
		t.Fatalf("openapi.yaml has no webhook %s", typ)
	}
	body = item.Post.RequestBody.Value.Content["application/json"].Schema.Value
	return body, body.AllOf[1].Value.Properties["data"].Value
}

// properties are the names in a schema and in those that it is made of.
func properties(schema *openapi3.Schema) []string {
	names := slices.Collect(maps.Keys(schema.Properties))
	for _, part := range schema.AllOf {
		names = append(names, properties(part.Value)...)
	}
	return names
}

func TestContract_describes_events_as_they_are_made(t *testing.T) {
	t.Parallel()
	doc := must(loadContract())(t)
	if len(doc.Webhooks) != len(events.Types()) {
		t.Errorf("openapi.yaml has %d webhooks, and there are %d types of events", len(doc.Webhooks), len(events.Types()))
	}
	data := fullData()
	for _, typ := range events.Types() {
		text := must(events.Body(typ, time.Now(), data[typ]))(t)
		var body map[string]any
		if err := json.Unmarshal(text, &body); err != nil {
			t.Fatal(err)
		}
		schema, dataSchema := eventSchemas(t, doc, typ)
		if err := schema.VisitJSON(body); err != nil {
			t.Errorf("%s breaks the contract: %v\n%s", typ, err, text)
		}
		sent := slices.Sorted(maps.Keys(body["data"].(map[string]any)))
		known := properties(dataSchema)
		slices.Sort(known)
		if !slices.Equal(sent, known) {
			t.Errorf("%s has the data %v, the contract says %v", typ, sent, known)
		}
	}
}

func TestContract_notices_a_wrong_event(t *testing.T) {
	t.Parallel()
	doc := must(loadContract())(t)
	for name, c := range map[string]struct {
		schema events.Type
		typ    events.Type
		data   any
	}{
		"another type":       {events.AccountCreated, events.AccountBlocked, fullData()[events.AccountBlocked]},
		"no field changed":   {events.AccountContactChanged, events.AccountContactChanged, fullData()[events.AccountCreated]},
		"a full number":      {events.AccountCreated, events.AccountCreated, events.AccountData{AccountID: "a", Seq: 1, Active: new(bool), Mobile: "13800138000"}},
		"a full address":     {events.AccountCreated, events.AccountCreated, events.AccountData{AccountID: "a", Seq: 1, Active: new(bool), Email: "li_lei@example.com"}},
		"no number of it":    {events.AccountDeleted, events.AccountDeleted, events.AccountData{AccountID: "a"}},
		"an unknown state":   {events.MessageUndelivered, events.MessageUndelivered, events.MessageData{MessageID: "a", Channel: "sms", State: "lost"}},
		"another channel":    {events.VerificationApproved, events.VerificationApproved, events.VerificationData{Channel: "fax"}},
		"not the data's own": {events.VerificationApproved, events.VerificationApproved, fullData()[events.AccountCreated]},
	} {
		var body map[string]any
		if err := json.Unmarshal(must(events.Body(c.typ, time.Now(), c.data))(t), &body); err != nil {
			t.Fatal(err)
		}
		if schema, _ := eventSchemas(t, doc, c.schema); schema.VisitJSON(body) == nil {
			t.Errorf("%s passed", name)
		}
	}
}

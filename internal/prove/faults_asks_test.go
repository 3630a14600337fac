package prove_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

// exchange sends a JSON request on a connection of its own, so that none is left over of a process that was
// killed, and returns the answer and its body.
func exchange(method, url, key string, document any) (*http.Response, []byte, error) {
	var body []byte
	var err error
	if document != nil {
		if body, err = json.Marshal(document); err != nil {
			return nil, nil, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Close = true
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, 64<<20))
	return response, body, err
}

// call sends a request to an API with the key as its Idempotency-Key, unless that is "".
func (m *member) call(method, path, key string, document any) (testclient.Answer, error) {
	response, body, err := exchange(method, "http://"+m.addr+path, key, document)
	if err != nil {
		return testclient.Answer{}, err
	}
	answer := testclient.Answer{Status: response.StatusCode, Header: response.Header, Body: body}
	return answer, json.Unmarshal(body, &answer)
}

// post is [member.call] with POST.
func (m *member) post(path, key string, document any) (testclient.Answer, error) {
	return m.call(http.MethodPost, path, key, document)
}

// codeFor is the body of a request for a code.
func codeFor(mobile string) map[string]any {
	return map[string]any{"mobile": mobile, "purpose": "register"}
}

// askCode asks for a code for a new number, enters that in the ledger and returns the number and the answer.
func (s *faultySetup) askCode(t testing.TB, api *member) (mobile string, answer testclient.Answer) {
	t.Helper()
	mobile = s.number()
	s.ledger.ask(sms, mobile)
	answer, err := api.post("/v1/sms-codes", "", codeFor(mobile))
	if err != nil {
		t.Fatalf("ask for a code: %v", err)
	}
	if answer.Status == http.StatusAccepted {
		s.ledger.acknowledge(mobile, s.codeLife)
	}
	return mobile, answer
}

// mustAskCode is askCode that ends the test unless it is acknowledged, and returns the code's id.
func (s *faultySetup) mustAskCode(t testing.TB, api *member) (mobile, id string) {
	t.Helper()
	mobile, answer := s.askCode(t, api)
	if answer.Status != http.StatusAccepted {
		t.Fatalf("ask for a code: %d %s", answer.Status, answer.Body)
	}
	return mobile, answer.Text("sms_code_id")
}

// number is a mobile number that is used once in this setup.
func (s *faultySetup) number() string { return number(s.people.Add(1)) }

// signUp is the body of a registration by mail of a new person, which it enters in the ledger.
func (s *faultySetup) signUp() (address string, form map[string]any) {
	name := fmt.Sprintf("person%d", s.people.Add(1))
	address = name + "@example.com"
	s.ledger.ask(email, address)
	return address, map[string]any{
		"username": name, "password": "long enough 密码", "password_repeat": "long enough 密码", "agree": true,
		"email": address,
	}
}

// register registers a person by mail, ends the test unless that is acknowledged, and returns the address.
func (s *faultySetup) register(t testing.TB, api *member) string {
	t.Helper()
	address, form := s.signUp()
	answer, err := api.post("/v1/registrations", "", form)
	if err != nil || answer.Status != http.StatusCreated {
		t.Fatalf("register: %d %s, %v", answer.Status, answer.Body, err)
	}
	s.ledger.acknowledge(address, 0)
	return address
}

// settled waits until every code is known to have been sent: nothing of it is under way any more.
func settled(t testing.TB, api *member, ids ...string) {
	t.Helper()
	var last testclient.Answer
	defer func() {
		if len(ids) > 0 {
			t.Logf("%d codes are not known to have been sent; %s: %s", len(ids), ids[0], last.Body)
		}
	}()
	testkit.Eventually(t, patience, func() bool {
		for len(ids) > 0 {
			last, _ = api.call(http.MethodGet, "/v1/sms-codes/"+ids[0], "", nil)
			if state := last.Text("status"); state != "sent" && state != "delivered" {
				return false
			}
			ids = ids[1:]
		}
		return true
	}, "every code is known to have been sent")
}

// faults sets the sandbox's faults, by vendor.
func (s *faultySetup) faults(t testing.TB, faults map[string]any) {
	t.Helper()
	response, body, err := exchange(http.MethodPut, "http://"+s.sandbox.HTTPAddr+"/api/faults", "", faults)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("PUT /api/faults: %s, %v", body, err)
	}
}

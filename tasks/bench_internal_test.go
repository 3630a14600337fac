package tasks

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"usher/secrets"
)

func benchHandler(b *testing.B) *SMSCodeHandler {
	b.Helper()
	keys, err := secrets.ParseKeys("k1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))))
	if err != nil {
		b.Fatal(err)
	}
	return &SMSCodeHandler{Keys: keys}
}

func sealedCode(b *testing.B, keys *secrets.Keys) *asynq.Task {
	b.Helper()
	id := strings.Repeat("i", 44)
	sealed := keys.Seal("13800138000", smsCodeContext(id))
	body, err := json.Marshal(codeTask{
		ID: id, KeyID: "k1", Purpose: "register", To: "138****8000", Sealed: sealed, Length: 6,
		ExpiresAt: time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		b.Fatal(err)
	}
	return asynq.NewTask(TypeSMSCode, body)
}

// BenchmarkSMSCode_encode seals a number and writes a code's payload.
func BenchmarkSMSCode_encode(b *testing.B) {
	keys := benchHandler(b).Keys
	b.ReportAllocs()
	for b.Loop() {
		sealedCode(b, keys)
	}
}

// BenchmarkSMSCode_decode reads a code's payload, opens the number and derives the code.
func BenchmarkSMSCode_decode(b *testing.B) {
	h := benchHandler(b)
	task := sealedCode(b, h.Keys)
	b.ReportAllocs()
	for b.Loop() {
		var payload codeTask
		if err := decode(task, &payload); err != nil {
			b.Fatal(err)
		}
		if _, err := h.open(payload); err != nil {
			b.Fatal(err)
		}
	}
}

package secrets_test

import (
	"testing"
	"time"

	"usher/secrets"
)

func BenchmarkKeys_Open(b *testing.B) {
	keys := mustKeys(b, "k1:"+encoded("a"))
	sealed := keys.Seal("13800138000", "sms:code/1")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := keys.Open(sealed, "sms:code/1"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKeys_CheckMAC(b *testing.B) {
	keys := mustKeys(b, "k1:"+encoded("a"))
	d := secrets.Derivation{KeyID: "k1", ID: "id", To: "13800138000", Purpose: "register"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := keys.CheckMAC(d, "012345"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKeys_Index(b *testing.B) {
	keys := mustKeys(b, "k1:"+encoded("a"))
	b.ReportAllocs()
	for b.Loop() {
		_ = keys.Index("mobile", "13800138000")
	}
}

func BenchmarkKeys_ParseToken(b *testing.B) {
	keys, now := mustKeys(b, "k1:"+encoded("a")), time.Unix(1_800_000_000, 0)
	text, err := keys.SignToken("k1", secrets.Token{Account: "account", ExpiresAt: now.Add(time.Hour)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := keys.ParseToken(text, now); err != nil {
			b.Fatal(err)
		}
	}
}

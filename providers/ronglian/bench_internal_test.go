package ronglian

import (
	"testing"

	"usher/providers/providertest"
)

// BenchmarkClient_request builds and signs without sending.
func BenchmarkClient_request(b *testing.B) {
	client, err := New(benchConfig())
	if err != nil {
		b.Fatal(err)
	}
	sms := providertest.SMS(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.request(b.Context(), sms); err != nil {
			b.Fatal(err)
		}
	}
}

func benchConfig() Config {
	return Config{
		AccountSID: "aaf98f8900000000000000000000beef", AuthToken: "0123456789abcdef0123456789abcdef",
		AppID: "8a216da800000000000000000000cafe", TemplateID: "1", TemplateParams: []string{"code", "minutes"}, Endpoint: "http://127.0.0.1:1",
	}
}

package aliyun

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
		if _, err := client.request(b.Context(), sms.To.Reveal(), sms); err != nil {
			b.Fatal(err)
		}
	}
}

func benchConfig() Config {
	return Config{
		Keys:     Keys{AccessKeyID: "LTAI5tTestKeyId0123456789", AccessKeySecret: "testSecret0123456789abcdefghij"},
		SignName: "测试签名", TemplateCode: "SMS_71390007", TemplateParam: "code", Endpoint: "http://127.0.0.1:1",
	}
}

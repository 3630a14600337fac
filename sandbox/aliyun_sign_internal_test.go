package sandbox

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// emptyHash is the SHA-256 of an empty body.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func with(v url.Values, pairs ...string) url.Values {
	c := url.Values{}
	maps.Copy(c, v)
	maps.Copy(c, values(pairs...))
	return c
}

func without(v url.Values, name string) url.Values {
	c := with(v)
	delete(c, name)
	return c
}

func sendSMSParams() url.Values {
	return values("AccessKeyId", "testId", "Action", "SendSms", "Format", "JSON", "OutId", "job-42/1",
		"PhoneNumbers", "13800138000", "RegionId", "cn-hangzhou", "SignName", "测试 签名*~",
		"SignatureMethod", "HMAC-SHA1", "SignatureNonce", "0123456789abcdef0123456789abcdef",
		"SignatureType", "", "SignatureVersion", "1.0", "TemplateCode", "SMS_71390007",
		"TemplateParam", `{"code":"012345"}`, "Timestamp", "2026-01-02T03:04:05Z", "Version", "2017-05-25")
}

func queryParams() url.Values {
	return values("AccessKeyId", "testId", "Action", "QuerySendDetails", "BizId", "900619746936498440^0",
		"CurrentPage", "1", "Format", "JSON", "PageSize", "10", "PhoneNumber", "13800138000",
		"RegionId", "cn-hangzhou", "SendDate", "20260102", "SignatureMethod", "HMAC-SHA1",
		"SignatureNonce", "fedcba9876543210fedcba9876543210", "SignatureType", "", "SignatureVersion", "1.0",
		"Timestamp", "2026-01-02T03:05:06Z", "Version", "2017-05-25")
}

type rpcVector struct {
	method, key, secret string
	params              url.Values
	signature           string
}

func rpcVectors() map[string]rpcVector {
	send := sendSMSParams()
	return map[string]rpcVector{
		"published DescribeRegions": {
			"GET", "testid", "testsecret",
			values("AccessKeyId", "testid", "Action", "DescribeRegions", "Format", "XML",
				"SignatureMethod", "HMAC-SHA1", "SignatureNonce", "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf",
				"SignatureVersion", "1.0", "Timestamp", "2016-02-23T12:46:24Z", "Version", "2014-05-26"),
			"OLeaidS1JvxuMvnyHOwuJ+uX5qY=",
		},
		"published SendSms": {
			"GET", "testId", "testSecret",
			values("AccessKeyId", "testId", "Action", "SendSms", "Format", "XML", "OutId", "123",
				"PhoneNumbers", "15300000001", "RegionId", "cn-hangzhou", "SignName", "阿里云短信测试专用",
				"SignatureMethod", "HMAC-SHA1", "SignatureNonce", "45e25e9b-0a6f-4070-8c85-2956eda1b466",
				"SignatureVersion", "1.0", "TemplateCode", "SMS_71390007", "TemplateParam",
				`{"customer":"test"}`, "Timestamp", "2017-07-12T02:42:19Z", "Version", "2017-05-25"),
			"zJDF+Lrzhj/ThnlvIToysFRq6t4=",
		},
		"published DescribeDedicatedHosts": {
			"GET", "testid", "testsecret",
			values("AccessKeyId", "testid", "Action", "DescribeDedicatedHosts", "Format", "JSON",
				"RegionId", "cn-beijing", "SignatureMethod", "HMAC-SHA1",
				"SignatureNonce", "edb2b34af0af9a6d14deaf7c1a5315eb", "SignatureVersion", "1.0",
				"Timestamp", "2023-03-13T08:34:30Z", "Version", "2014-05-26"),
			"9NaGiOspFP5UPcwX8Iwt2YJXXuk=",
		},
		"SendSms by POST": {"POST", "testId", "testSecret", send, "YMGJ2wIc7kftdcJcoBXbMNoxO2I="},
		"SendSms by GET":  {"GET", "testId", "testSecret", send, "mECMP9rAJt63p66qGEBAdbL8ZSU="},
		"SendSms without the empty parameter": {
			"POST", "testId", "testSecret",
			without(send, "SignatureType"), "7neT84bNttrE9iyVYnVLYsHtYpg=",
		},
		"SendSms with a security token": {
			"POST", "testId", "testSecret",
			with(send, "SecurityToken", "sts/tok+en=="), "FQgmUgd+CdlMKL8+dFubXHn5qGw=",
		},
		"QuerySendDetails": {"POST", "testId", "testSecret", queryParams(), "yATpc2da3E0sZUYAAhvKhx9NcO0="},
		"QuerySendDetails without BizId": {
			"POST", "testId", "testSecret",
			without(queryParams(), "BizId"), "jmiiqPAWWk2G3KcFe5Q6ooP78jQ=",
		},
		"captured from the Go SDK": {
			"POST", "testId", "testSecret",
			with(send, "OutId", "o-1", "SignatureNonce", "0535e8436c942a95052274ae9f1168cb",
				"Timestamp", "2026-11-20T09:27:01Z"),
			"Spnc5jYqEpZMoredGUrb8eB3RH8=",
		},
	}
}

// verifier returns a server that holds one key and a clock, without listeners.
func verifier(key, secret string, now time.Time) *Server {
	return &Server{
		config: withDefaults(Config{
			Credentials: Credentials{Aliyun: AliyunCredentials{AccessKeyID: key, AccessKeySecret: secret}},
			Now:         func() time.Time { return now },
		}),
		nonces: newNonceCache(time.Hour),
	}
}

func TestRPCSignature_known_vectors_are_accepted(t *testing.T) {
	t.Parallel()
	for name, v := range rpcVectors() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, err := time.Parse(aliyunTime, v.params.Get("Timestamp"))
			if err != nil {
				t.Fatal(err)
			}
			call := func(signature string) *aliyunCall {
				return &aliyunCall{
					method: v.method, header: http.Header{},
					params: with(v.params, "Signature", signature),
				}
			}
			s := verifier(v.key, v.secret, at.Add(14*time.Minute))
			if refusal := s.authenticateAliyun(call(v.signature)); refusal != nil {
				t.Errorf("right signature: got %+v, want none", refusal)
			}
			wrong := "A" + v.signature[1:]
			if refusal := s.authenticateAliyun(call(wrong)); refusal == nil ||
				refusal.code != "SignatureDoesNotMatch" {
				t.Errorf("wrong signature: got %+v, want SignatureDoesNotMatch", refusal)
			}
		})
	}
}

func TestRPCSignature_published_unit_tests(t *testing.T) {
	t.Parallel()
	params := values("AccessKeyId", "accessKeyId", "Action", "", "Format", "JSON", "RegionId", "regionId",
		"SignatureMethod", "HMAC-SHA1", "SignatureNonce", "MOCK_UUID", "SignatureType", "",
		"SignatureVersion", "1.0", "Timestamp", "mock date", "Version", "")
	withToken := with(params, "SecurityToken", "accessKeyStsToken")
	toSign := rpcStringToSign("GET", values("q", "http://domain/?q=value&q2=value2", "key", "value"))
	plain, _ := signRPC("GET", params, "accessKeySecret")
	sts, _ := signRPC("GET", withToken, "accessKeySecret")
	for _, c := range []struct{ name, got, want string }{
		{"empty SignatureType", plain, "7loPmFjvDnzOVnQeQNj85S6nFGY="},
		{"security token", sts, "5Nxdcler+ihqWqv0Hr2On4PsBf4="},
		{"hmac of latin text", hmacSHA1("secret", "source"), "Jv4yi8SobFhg5t1C7nWLbhBSFZQ="},
		{"hmac of Chinese text", hmacSHA1("secret", "中文"), "CqCYIa39h9SSWuXnTz8F5hh9UPA="},
		{"string to sign", toSign, "GET&%2F&key%3Dvalue%26q%3Dhttp%253A%252F%252Fdomain%252F%253Fq" +
			"%253Dvalue%2526q2%253Dvalue2"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, c.got, c.want)
		}
	}
}

type acs3Vector struct {
	key, secret, host string
	query             url.Values
	headers           map[string]string
	hash, signature   string
}

func acs3Vectors() map[string]acs3Vector {
	sms := values("PhoneNumbers", "13800138000", "SignName", "测试 签名*~",
		"TemplateCode", "SMS_1", "TemplateParam", `{"code":"012345"}`)
	return map[string]acs3Vector{
		"published RunInstances": {
			key: "YourAccessKeyId", secret: "YourAccessKeySecret", host: "ecs.cn-shanghai.aliyuncs.com",
			query: values("ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd",
				"RegionId", "cn-shanghai"),
			headers: map[string]string{
				"x-acs-action": "RunInstances", "x-acs-version": "2014-05-26",
				"x-acs-date": "2023-10-26T10:22:32Z", "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
			},
			hash:      "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259",
			signature: "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
		},
		"captured from the newer Go SDK": {
			key: "testId", secret: "testSecret", host: "127.0.0.1:18181", query: sms,
			headers: map[string]string{
				"x-acs-action": "SendSms", "x-acs-version": "2017-05-25",
				"x-acs-credentials-provider": "static_ak", "x-acs-date": "2026-11-20T09:37:37Z",
				"x-acs-signature-nonce": "7d10fa680d1d8bdecaa9cac03afb08be",
			},
			signature: "bacc293f78faaa38f818fad773e897158af3a853088158b87aeb77242f4171ef",
		},
		"SendSms for the production host": {
			key: "testId", secret: "testSecret", host: "dysmsapi.aliyuncs.com",
			query: with(sms, "TemplateCode", "SMS_71390007", "OutId", "job-42/1"),
			headers: map[string]string{
				"x-acs-action": "SendSms", "x-acs-version": "2017-05-25",
				"x-acs-credentials-provider": "static_ak", "x-acs-date": "2026-01-02T03:04:05Z",
				"x-acs-signature-nonce": "0123456789abcdef0123456789abcdef",
			},
			hash:      "82d482ed5de58f783d83d59e49b566ae231de3dcefd41415ba75212132d0a8bb",
			signature: "f44f137a26fed4e6962e54454ef293d8f6f2a0ac9ef8f0c0c3b6b177aed657d6",
		},
	}
}

func (v acs3Vector) call(signature string) *aliyunCall {
	header := http.Header{}
	header.Set("x-acs-content-sha256", emptyHash)
	names := []string{"host", "x-acs-action", "x-acs-content-sha256"}
	if v.headers["x-acs-credentials-provider"] != "" {
		names = append(names, "x-acs-credentials-provider")
	}
	names = append(names, "x-acs-date", "x-acs-signature-nonce", "x-acs-version")
	for name, value := range v.headers {
		header.Set(name, value)
	}
	header.Set("Authorization", "ACS3-HMAC-SHA256 Credential="+v.key+
		",SignedHeaders="+strings.Join(names, ";")+",Signature="+signature)
	return &aliyunCall{method: "POST", host: v.host, header: header, query: v.query, params: v.query}
}

func TestACS3Signature_known_vectors_are_accepted(t *testing.T) {
	t.Parallel()
	for name, v := range acs3Vectors() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, err := time.Parse(aliyunTime, v.headers["x-acs-date"])
			if err != nil {
				t.Fatal(err)
			}
			s := verifier(v.key, v.secret, at.Add(-14*time.Minute))
			if refusal := s.authenticateAliyun(v.call(v.signature)); refusal != nil {
				t.Errorf("right signature: got %+v, want none", refusal)
			}
			refusal := s.authenticateAliyun(v.call(strings.Repeat("0", 64)))
			if refusal == nil || refusal.code != "SignatureDoesNotMatch" {
				t.Fatalf("wrong signature: got %+v, want SignatureDoesNotMatch", refusal)
			}
			if !strings.Contains(refusal.message, acs3Algorithm+"\n"+v.hash) {
				t.Errorf("hash of the canonical request: got %q, want %q in it", refusal.message, v.hash)
			}
		})
	}
}

func TestACS3Signature_unsigned_vendor_header_is_refused(t *testing.T) {
	t.Parallel()
	v := acs3Vectors()["SendSms for the production host"]
	at, _ := time.Parse(aliyunTime, v.headers["x-acs-date"])
	call := v.call(v.signature)
	call.header.Set("x-acs-extra", "1")
	refusal := verifier(v.key, v.secret, at).authenticateAliyun(call)
	if refusal == nil || refusal.code != "IncompleteSignature" {
		t.Errorf("got %+v, want IncompleteSignature", refusal)
	}
}

func TestRonglianSig_known_vector(t *testing.T) {
	t.Parallel()
	const sid, token = "aaf98f8900000000000000000000beef", "0123456789abcdef0123456789abcdef"
	got := ronglianSig(sid, token, "20260102030405")
	if want := "44A43604059284DD2A0B909A515DE25F"; got != want {
		t.Errorf("sig: got %q, want %q", got, want)
	}
	const header = "YWFmOThmODkwMDAwMDAwMDAwMDAwMDAwMDAwMGJlZWY6MjAyNjAxMDIwMzA0MDU="
	gotSID, timestamp, code := readRonglianAuthorization(header)
	if gotSID != sid || timestamp != "20260102030405" || code != "" {
		t.Errorf("authorization: got %q, %q, %q", gotSID, timestamp, code)
	}
	if got, want := ronglianSig("", "", ""), "D41D8CD98F00B204E9800998ECF8427E"; got != want {
		t.Errorf("md5 of nothing: got %q, want %q", got, want)
	}
}

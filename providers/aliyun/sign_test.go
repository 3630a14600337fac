package aliyun_test

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/signers"

	"usher/providers/aliyun"
	"usher/providers/providertest"
)

// sign is the vendor's signature, version 1.0, written from its documents: what the SDK signs is checked
// against it, and it is itself checked against the vendor's own examples.
func sign(method string, params map[string]string, secret string) string {
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	mac.Write([]byte(stringToSign(method, params)))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func stringToSign(method string, params map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if name != "Signature" {
			pairs = append(pairs, escape(name)+"="+escape(params[name]))
		}
	}
	return method + "&%2F&" + escape(strings.Join(pairs, "&"))
}

// escape leaves letters, digits and -_.~ alone.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// TestSDK_signsAsPublished holds the SDK's signer, what the client has it sign and our check of both against
// results that the vendor published: three in its documents, two among the SDK's own tests.
func TestSDK_signsAsPublished(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		method, key, secret string // the method is GET where there is none
		params              map[string]string
		want                string
	}{
		"documents, DescribeRegions": {
			key: "testid", secret: "testsecret",
			params: map[string]string{
				"Action": "DescribeRegions", "Format": "XML", "SignatureMethod": "HMAC-SHA1",
				"SignatureNonce": "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf", "SignatureVersion": "1.0",
				"Timestamp": "2016-02-23T12:46:24Z", "Version": "2014-05-26",
			},
			want: "OLeaidS1JvxuMvnyHOwuJ+uX5qY=",
		},
		"documents, SendSms": {
			key: "testId", secret: "testSecret",
			params: map[string]string{
				"Action": "SendSms", "Format": "XML", "OutId": "123", "PhoneNumbers": "15300000001",
				"RegionId": "cn-hangzhou", "SignName": "阿里云短信测试专用", "SignatureMethod": "HMAC-SHA1",
				"SignatureNonce": "45e25e9b-0a6f-4070-8c85-2956eda1b466", "SignatureVersion": "1.0",
				"TemplateCode": "SMS_71390007", "TemplateParam": `{"customer":"test"}`,
				"Timestamp": "2017-07-12T02:42:19Z", "Version": "2017-05-25",
			},
			want: "zJDF+Lrzhj/ThnlvIToysFRq6t4=",
		},
		"documents, DescribeDedicatedHosts": {
			key: "testid", secret: "testsecret",
			params: map[string]string{
				"Action": "DescribeDedicatedHosts", "Format": "JSON", "RegionId": "cn-beijing",
				"SignatureMethod": "HMAC-SHA1", "SignatureNonce": "edb2b34af0af9a6d14deaf7c1a5315eb",
				"SignatureVersion": "1.0", "Timestamp": "2023-03-13T08:34:30Z", "Version": "2014-05-26",
			},
			want: "9NaGiOspFP5UPcwX8Iwt2YJXXuk=",
		},
		"own, SendSmsVerifyCode": { // computed outside of this program
			method: "POST", key: "testId", secret: "testSecret", params: verifyVector(true), want: "tVByAM2Eb30EOxrBGMmZ+1EKiyw=",
		},
		"own, SendSmsVerifyCode without AutoRetry": {
			method: "POST", key: "testId", secret: "testSecret", params: verifyVector(false), want: "5LQbY158s8HhaZgEIttQVP23DTw=",
		},
		"SDK, empty SignatureType": {
			key: "accessKeyId", secret: "accessKeySecret",
			params: map[string]string{
				"Action": "", "Version": "", "Format": "JSON", "RegionId": "regionId",
				"SignatureMethod": "HMAC-SHA1", "SignatureNonce": "MOCK_UUID", "SignatureType": "",
				"SignatureVersion": "1.0", "Timestamp": "mock date",
			},
			want: "7loPmFjvDnzOVnQeQNj85S6nFGY=",
		},
		"SDK, temporary key": {
			key: "accessKeyId", secret: "accessKeySecret",
			params: map[string]string{
				"Action": "", "Version": "", "Format": "JSON", "RegionId": "regionId",
				"SecurityToken": "accessKeyStsToken", "SignatureMethod": "HMAC-SHA1",
				"SignatureNonce": "MOCK_UUID", "SignatureType": "", "SignatureVersion": "1.0",
				"Timestamp": "mock date",
			},
			want: "5Nxdcler+ihqWqv0Hr2On4PsBf4=",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row.params["AccessKeyId"] = row.key
			method := cmp.Or(row.method, "GET")
			if got := sign(method, row.params, row.secret); got != row.want {
				t.Errorf("got %q from the check, want %q", got, row.want)
			}
			signer := signers.NewAccessKeySigner(credentials.NewAccessKeyCredential(row.key, row.secret))
			if got := signer.Sign(stringToSign(method, row.params), "&"); got != row.want {
				t.Errorf("got %q from the SDK, want %q", got, row.want)
			}
			if got := signer.Sign(aliyun.StringToSign(method, row.params), "&"); got != row.want {
				t.Errorf("got %q for the client's text, want %q", got, row.want)
			}
		})
	}
}

// verifyVector is a request of SMS authentication with every parameter that the SDK or the vendor's documents have.
func verifyVector(autoRetry bool) map[string]string {
	params := map[string]string{
		"Action": "SendSmsVerifyCode", "CountryCode": "86", "Format": "JSON", "Interval": "60", "OutId": "job-42/1",
		"PhoneNumber": "13800138000", "RegionId": "cn-hangzhou", "SignName": "速通互联验证码", "SignatureMethod": "HMAC-SHA1",
		"SignatureNonce": "0123456789abcdef0123456789abcdef", "SignatureType": "", "SignatureVersion": "1.0",
		"TemplateCode": "100001", "TemplateParam": `{"code":"012345","min":"5"}`, "Timestamp": "2026-01-02T03:04:05Z",
		"ValidTime": "300", "Version": "2017-05-25",
	}
	if autoRetry {
		params["AutoRetry"] = "0"
	}
	return params
}

// TestSDK_hashesAsPublished holds the SDK's HMAC against the values of its own tests.
func TestSDK_hashesAsPublished(t *testing.T) {
	t.Parallel()
	signer := signers.NewAccessKeySigner(credentials.NewAccessKeyCredential("", "secret"))
	for text, want := range map[string]string{
		"source": "Jv4yi8SobFhg5t1C7nWLbhBSFZQ=",
		"中文":     "CqCYIa39h9SSWuXnTz8F5hh9UPA=",
	} {
		if got := signer.Sign(text, ""); got != want {
			t.Errorf("got %q for %q, want %q", got, text, want)
		}
	}
}

func TestSDK_joinsAsPublished(t *testing.T) {
	t.Parallel()
	params := map[string]string{"q": "http://domain/?q=value&q2=value2", "key": "value"}
	want := "GET&%2F&key%3Dvalue%26q%3Dhttp%253A%252F%252Fdomain%252F%253Fq%253Dvalue%2526q2%253Dvalue2"
	if got := stringToSign("GET", params); got != want {
		t.Errorf("got %q from the check, want %q", got, want)
	}
	if got := aliyun.StringToSign("GET", params); got != want {
		t.Errorf("got %q from the client, want %q", got, want)
	}
}

func TestClient_signs_many_requests_at_once(t *testing.T) {
	t.Parallel()
	client, sms, q := open(t, "https://dysmsapi.aliyuncs.com"), providertest.SMS(t), query(t)
	q.SentAt = time.Now().Add(time.Hour) // one day only
	var mu sync.Mutex
	nonces := map[string]bool{}
	client.HTTP.Transport = transport(func(params map[string]string) string {
		if signature := sign("POST", params, keySecret); params["Signature"] != signature {
			t.Errorf("got signature %q, want %q", params["Signature"], signature)
		}
		mu.Lock()
		defer mu.Unlock()
		nonce := params["SignatureNonce"]
		if len(nonce) != 32 || strings.Trim(nonce, "0123456789abcdef") != "" || nonces[nonce] {
			t.Errorf("nonce %q came before or is not 32 hexadecimal digits", nonce)
		}
		nonces[nonce] = true
		if params["Action"] == "QuerySendDetails" {
			return listing()
		}
		return acceptance
	})
	const workers, rounds = 8, 50
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for range rounds {
				if _, err := client.SendSMS(t.Context(), sms); err != nil {
					t.Error(err)
				}
				if _, err := client.QuerySMS(t.Context(), q); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if want := 2 * workers * rounds; len(nonces) != want {
		t.Errorf("got %d nonces, want %d", len(nonces), want)
	}
}

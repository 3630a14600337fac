package sandbox

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzParseRonglianSMS(f *testing.F) {
	f.Add([]byte(`{"to":"13800000011","appId":"a","templateId":"1","datas":["1","2",]}`), false)
	f.Add([]byte(`{"datas":["a,]","\\",]}`), false)
	f.Add([]byte("<?xml version='1.0'?><SubAccount><datas><data>1</data></datas><to> 1 </to></SubAccount>"), true)
	f.Add([]byte("<a><b>&nope;</a>"), true)
	f.Fuzz(func(t *testing.T, body []byte, isXML bool) {
		sms, ok := parseRonglianSMS(body, isXML)
		if sms.To != strings.TrimSpace(sms.To) {
			t.Errorf("to keeps its blanks: %q", sms.To)
		}
		// What strict JSON accepts, the lenient reading accepts too.
		var strict ronglianSMS
		if !isXML && json.Unmarshal(body, &strict) == nil && !ok {
			t.Errorf("valid JSON was refused: %q", body)
		}
	})
}

func FuzzParseMail(f *testing.F) {
	f.Add("From: a@b.example\r\nSubject: =?UTF-8?b?6K+35r+A5rS7?=\r\n\r\ncode 123456 https://a.example/x?y=1\r\n")
	f.Add("From: a@b.example\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n" +
		"Content-Type: text/html; charset=gb18030\r\nContent-Transfer-Encoding: base64\r\n\r\nPGE+\r\n--b--\r\n")
	f.Add("From: a@b.example\r\nContent-Type: multipart/mixed; boundary=\r\n\r\n")
	f.Add("Content-Type: text/html\r\n\r\n<a href='https://x.example'><style>")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseMail(strings.NewReader(text))
		if err != nil {
			return
		}
		if len(m.Links) > maxLinks {
			t.Errorf("links: got %d", len(m.Links))
		}
		for _, s := range []string{m.Subject, m.Text, m.HTML} {
			if !utf8.ValidString(s) {
				t.Errorf("not UTF-8: %q", s)
			}
		}
		for _, link := range m.Links {
			if !webLink(link) {
				t.Errorf("not a web link: %q", link)
			}
		}
	})
}

func FuzzReadAliyunSMS(f *testing.F) {
	f.Add("13800000011,+8613800000012", `{"code":"123456"}`)
	f.Add("0086", `{"code":123456}`)
	f.Add(",", `[]`)
	f.Add("13800000011", `{"code":"123456","min":"5"}`)
	f.Fuzz(func(t *testing.T, numbers, param string) {
		list, refusal := readAliyunNumbers(numbers)
		for _, number := range list {
			if refusal == nil && !dialable(number) {
				t.Errorf("accepted %q", number)
			}
		}
		if params, refusal := readTemplateParam(param); refusal == nil {
			text := aliyunSMS{params: params}.text()
			findCode(text)
			findLinks(text)
		}
		if params, refusal := readVerifyParam(param); refusal == nil && (len(params["code"]) < 4 || !digits(params["min"])) {
			t.Errorf("SMS authentication took %q", param)
		}
	})
}

func FuzzReadTencentSMS(f *testing.F) {
	f.Add(`{"PhoneNumberSet":["+8613800000011"],"SmsSdkAppId":"1","TemplateId":"1","SignName":"测试","TemplateParamSet":["012345","5"]}`)
	f.Add(`{"PhoneNumberSet":["0"],"SmsSdkAppid":"1"}`)
	f.Add(`{"PhoneNumberSet":[86],"SmsSdkAppId":1,"TemplateId":null}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, body string) {
		call, sms := &tencentCall{body: []byte(body)}, tencentSMS{}
		if _, refused := call.read(&sms, 3, "PhoneNumberSet", "SmsSdkAppId", "TemplateId", "SignName", "TemplateParamSet"); refused {
			return
		}
		for _, given := range sms.PhoneNumberSet {
			if number := normalNumber(given); sms.wrong(given, number) == "" {
				if !dialable(number) {
					t.Errorf("accepted %q", given)
				}
				splitNumber(number)
			}
		}
		findCode(sms.text())
	})
}

func FuzzReadFaults(f *testing.F) {
	f.Add(`{"aliyun":{"code":"isp.SYSTEM_ERROR","probability":0.5}}`)
	f.Add(`{"smtp":{"code":"451","count":1},"ronglian":null}`)
	f.Fuzz(func(t *testing.T, body string) {
		faults, err := readFaults(strings.NewReader(body))
		if err != nil {
			return
		}
		set := &faultSet{}
		if set.set(faults) == nil {
			for _, vendor := range []string{vendorAliyun, vendorAliyunVerify, vendorRonglian, vendorTencent, vendorSMTP} {
				set.draw(vendor, nil)
			}
		}
	})
}

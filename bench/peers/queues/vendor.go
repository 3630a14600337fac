package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// vendor calls Aliyun's SendSms with the older signature.
type vendor struct {
	settings

	client *http.Client
}

func newVendor(s settings) *vendor {
	transport := &http.Transport{MaxIdleConns: s.Workers, MaxIdleConnsPerHost: s.Workers, IdleConnTimeout: time.Minute}
	return &vendor{s, &http.Client{Timeout: 10 * time.Second, Transport: transport}}
}

// send sends one code.
func (v *vendor) send(ctx context.Context, mobile, code string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, v.VendorURL+"?"+v.sign(mobile, code), nil)
	if err != nil {
		return err
	}
	response, err := v.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err == nil && !strings.Contains(string(answer), `"Code":"OK"`) {
		err = fmt.Errorf("the vendor refuses: %s", answer)
	}
	return err
}

// sign returns a signed query.
func (v *vendor) sign(mobile, code string) string {
	query := url.Values{
		"AccessKeyId": {v.KeyID}, "Action": {"SendSms"}, "Format": {"JSON"}, "PhoneNumbers": {mobile}, "RegionId": {"cn-hangzhou"},
		"SignName": {"测试签名"}, "SignatureMethod": {"HMAC-SHA1"}, "SignatureNonce": {rand.Text()}, "SignatureVersion": {"1.0"},
		"TemplateCode": {"SMS_71390007"}, "TemplateParam": {`{"code":"` + code + `"}`},
		"Timestamp": {time.Now().UTC().Format("2006-01-02T15:04:05Z")}, "Version": {"2017-05-25"},
	}.Encode()
	canonical := strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(query)
	mac := hmac.New(sha1.New, []byte(v.KeySecret+"&"))
	mac.Write([]byte("POST&%2F&" + url.QueryEscape(canonical)))
	return canonical + "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

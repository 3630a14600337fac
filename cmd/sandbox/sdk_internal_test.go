package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"usher/internal/testkit"
)

// sdkProgram sends through both of Aliyun's products with the vendor's own SDK, asks for the state of a sign name and prints
// what the SDK returns or throws.
const sdkProgram = `
const [base, keys] = [process.argv[2], JSON.parse(process.argv[3])];
const { Config } = require('@alicloud/openapi-core').$OpenApiUtil;
const sms = require('@alicloud/dysmsapi20170525'), verify = require('@alicloud/dypnsapi20170525');
const config = (secret) => new Config({ protocol: 'http', endpoint: base, accessKeyId: keys.aliyun.access_key_id, accessKeySecret: secret });
const secret = keys.aliyun.access_key_secret;
const given = { signName: keys.aliyun_verify.sign_name, templateCode: keys.aliyun_verify.template_code, autoRetry: 0, interval: 60 };
const code = (number, changed) => new verify.SendSmsVerifyCodeRequest({
  phoneNumber: number, templateParam: JSON.stringify({ code: '012345', min: '5' }), outId: 'job-1', ...given, ...changed });
async function show(what, call) {
  try {
    console.log(what + ':', await call());
  } catch (error) {
    console.log(what + ':', error.code, error.statusCode);
  }
}
(async () => {
  const smsClient = new sms.default(config(secret)), client = new verify.default(config(secret));
  await show('SMS', async () => (await smsClient.sendSms(new sms.SendSmsRequest({ phoneNumbers: '13800000011', signName: '测试 *~',
    templateCode: 'SMS_71390007', templateParam: JSON.stringify({ code: '543210' }) }))).body.code);
  await show('sign name', async () => (await smsClient.getSmsSign(new sms.GetSmsSignRequest({ signName: '海马部分报备' }))).body
    .signIspRegisterDetailList.map((carrier) => carrier.operatorCode + ' ' + carrier.registerStatus).join(', '));
  await show('SMS authentication', async () => {
    const { body } = await client.sendSmsVerifyCode(code('13800000012'));
    return [body.code, body.success, body.model.outId].join(' ');
  });
  await show('at once again', async () => (await client.sendSmsVerifyCode(code('13800000012'))).body.code);
  await show('a sign name of its own', () => client.sendSmsVerifyCode(code('13800000013', { signName: '海马' })));
  await show('a wrong key', () => new verify.default(config('wrong')).sendSmsVerifyCode(code('13800000013')));
})();
`

// TestSDK_of_the_vendor points Aliyun's SDK for Node, which has the newer signature, at the sandbox.
func TestSDK_of_the_vendor(t *testing.T) {
	t.Parallel()
	node, npm := testkit.NeedProgram(t, "node"), testkit.NeedProgram(t, "npm")
	dir := t.TempDir()
	install := exec.CommandContext(t.Context(), npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline",
		"@alicloud/dysmsapi20170525@4.6.0", "@alicloud/dypnsapi20170525@2.0.0")
	install.Dir = dir
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("npm cannot install the SDK of Aliyun: %v: %s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "sdk.js"), []byte(sdkProgram), 0o600); err != nil {
		t.Fatal(err)
	}
	base := regexp.MustCompile(`(http://\S+)/aliyun/`).FindStringSubmatch(start(t, io.Discard, "-http", "127.0.0.1:0", "-smtp", "127.0.0.1:0"))[1]
	run := exec.CommandContext(t.Context(), node, "sdk.js", strings.TrimPrefix(base, "http://"), credentials(t, base))
	run.Dir, run.WaitDelay = dir, time.Second
	run.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	out, err := run.CombinedOutput()
	const want = `SMS: OK
sign name: mobile 3, unicom -1, telecom 0
SMS authentication: OK true job-1
at once again: biz.FREQUENCY
a sign name of its own: INVALID_PARAMETERS 400
a wrong key: SignatureDoesNotMatch 400
`
	if err != nil || string(out) != want {
		t.Errorf("%v, printed\n%s\nwant\n%s", err, out, want)
	}
}

// credentials is what a running sandbox accepts, as JSON.
func credentials(t *testing.T, base string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/api/credentials", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var keys json.RawMessage
	if err := json.NewDecoder(response.Body).Decode(&keys); err != nil {
		t.Fatal(err)
	}
	return string(keys)
}

package sandbox

import (
	"crypto/hmac"
	"crypto/md5" // the vendor's signature is defined with it
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

// ronglianValidity is how long a signature is valid by the vendor's documents. Because of it, clients may sign in local time, in
// UTC or in Beijing's time.
const ronglianValidity = 24 * time.Hour

// ronglianSig returns the sig parameter in upper case, as documented.
func ronglianSig(sid, token, timestamp string) string {
	sum := md5.Sum([]byte(sid + token + timestamp))
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// authenticateRonglian returns the code that refuses the request, or "". Like the vendor it accepts sig in upper and lower case and
// both alphabets of Base64, since the official clients differ.
func (s *Server) authenticateRonglian(r *http.Request) string {
	account := s.config.Credentials.Ronglian
	sid, timestamp, code := readRonglianAuthorization(r.Header.Get("Authorization"))
	if code != "" {
		return code
	}
	at, err := time.ParseInLocation(ronglianTime, timestamp, beijing)
	sig := r.URL.Query().Get("sig")
	switch {
	case err != nil:
		return "111113"
	case s.config.Now().Sub(at).Abs() > ronglianValidity:
		return "111106"
	case sid != r.PathValue("sid"):
		return "111107"
	case sig == "":
		return "111108"
	case sid != account.AccountSID:
		return "111141"
	case !hmac.Equal([]byte(strings.ToUpper(sig)), []byte(ronglianSig(sid, account.AuthToken, timestamp))):
		return "111109"
	}
	return ""
}

func readRonglianAuthorization(header string) (sid, timestamp, code string) {
	if header == "" {
		return "", "", "111101"
	}
	standard := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(header, "="))
	text, err := base64.RawStdEncoding.DecodeString(standard)
	if err != nil {
		return "", "", "111102"
	}
	sid, timestamp, ok := strings.Cut(string(text), ":")
	switch {
	case !ok:
		return "", "", "111103"
	case sid == "":
		return "", "", "111104"
	case timestamp == "":
		return "", "", "111105"
	}
	return sid, timestamp, ""
}

// ronglianMessage returns the vendor's text for a status code.
func ronglianMessage(code string) string {
	message, ok := map[string]string{
		"111101": "【账号】请求包头Authorization参数为空",
		"111102": "【账号】请求包头Authorization参数Base64解码失败",
		"111103": "【账号】请求包头Authorization参数解码后格式有误",
		"111104": "【账号】请求包头Authorization参数解码后账户ID为空",
		"111105": "【账号】请求包头Authorization参数解码后时间戳为空",
		"111106": "【账号】请求包头Authorization参数解码后时间戳过期",
		"111107": "【账号】请求包头Authorization参数中账户ID跟请求地址中的账户ID不一致",
		"111108": "【账号】请求地址Sig参数为空",
		"111109": "【账号】请求地址Sig校验失败",
		"111113": "【账号】时间戳格式有误",
		"111141": "【账号】主账户不存在",
		"111142": "【账号】主账户余额不足",
		"111169": "【应用】应用ID为空",
		"111181": "【应用】应用不存在",
		"112300": "【短信】接收短信的手机号码为空",
		"112301": "【短信】短信正文为空",
		"112307": "【短信】模板ID为空",
		"112312": "【短信】扩展号码有误",
		"112317": "【短信】手机号码在黑名单中",
		"112318": "【短信】模板ID必须是数字",
		"112329": "【短信】查询条数有误",
		"112616": "【短信】请求包体解析失败",
		"160000": "【短信】系统错误",
		"160038": "【短信】验证码发送过于频繁",
		"160040": "【短信】验证码超出同模板同号码天发送上限",
		"160042": "【短信】号码格式有误",
		"160045": "【短信】手机号码重复",
		"160048": "【短信】手机号码个数超过上限",
		"160054": "【短信】reqId重复",
		"160055": "【短信】reqId超长",
	}[code]
	if !ok {
		return "沙箱按要求返回此错误码"
	}
	return message
}

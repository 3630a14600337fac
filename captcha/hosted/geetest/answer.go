package geetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"usher/captcha/hosted"
)

// maxAnswer bounds an answer in bytes; real ones have a few hundred.
const maxAnswer = 64 << 10

// answer is GeeTest's. Its older documents leave status out of an answer with a result. The rest, captcha_args, contains the
// client's address and browser and is not read.
type answer struct {
	Status string          `json:"status"`
	Result string          `json:"result"`
	Code   json.RawMessage `json:"code"` // "-50005", a text in the documents
}

// refusals are the codes of a wrong, unknown or used token: the client's doing.
var refusals = map[string]string{
	"-50001": "illegal risk_type",
	"-50002": "param decrypt error",
	"-50003": "illegal verify: verified before",
	"-50004": "jsonp xss",
	"-50005": "illegal gen_time",
	"-50301": "not proof: lot number unknown or expired",
	"-50302": "not lot_number",
	"-50303": "illegal lot_number",
	"-50304": "lot_number not match",
	"-50305": "lot_number expired",
	"-50306": "process_token error",
	"-50307": "payload error",
	"-50308": "payload used",
}

// misconfigurations are the codes about the captcha id, which is ours.
var misconfigurations = map[string]string{
	"-50101": "not captcha_id",
	"-50102": "illegal captcha_id",
	"-50103": "captcha_id does not exist",
	"-50104": "captcha_id deleted",
	"-50105": "captcha_id paused",
}

// codePattern is the form of codes that may be logged.
var codePattern = regexp.MustCompile(`^-?[0-9]{1,8}$`)

// read classifies an answer. Only "result": "success" without an error beside it passes. What a client could cause by its
// token is refused or unclear; a failure of the vendor is unavailable.
func read(status int, body []byte) (ok bool, code string, err error) {
	switch {
	case status/100 == 4: // a firewall may have taken offence at the token
		return false, "", fmt.Errorf("%w: http status %d", hosted.ErrUnclear, status)
	case status != http.StatusOK:
		return false, "", fmt.Errorf("%w: http status %d", hosted.ErrAway, status)
	}
	var a answer
	if json.Unmarshal(body, &a) != nil {
		return false, "", fmt.Errorf("%w: answer cannot be read", hosted.ErrAway)
	}
	code = strings.Trim(string(a.Code), `"`)
	switch {
	case a.Status == "error":
		return false, code, refusal(code)
	case a.Status != "" && a.Status != "success":
		return false, "", fmt.Errorf("%w: answer has an unknown status", hosted.ErrAway)
	case a.Result == "success":
		return true, "", nil
	case a.Result == "fail":
		return false, "", nil
	default:
		return false, "", fmt.Errorf("%w: answer has no result", hosted.ErrAway)
	}
}

// refusal returns nil for the codes of a wrong token. Code -50000, an error of the vendor without a known reason, and codes
// that are not listed are unclear.
func refusal(code string) error {
	if meaning, ours := misconfigurations[code]; ours {
		return fmt.Errorf("%w: code %s, %s", hosted.ErrMisconfigured, code, meaning)
	}
	if _, wrong := refusals[code]; wrong {
		return nil
	}
	if !codePattern.MatchString(code) {
		code = "of another form"
	}
	return fmt.Errorf("%w: code %s", hosted.ErrUnclear, code)
}

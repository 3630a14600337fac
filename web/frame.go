package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// Frame is what the page with a vendor's captcha needs.
type Frame struct {
	CaptchaID string   // our account at the vendor
	Script    string   // URL of the vendor's script
	Sources   []string // what it may load, in the form of a Content-Security-Policy
}

// Frame renders the page that shows a vendor's captcha inside a frame of our pages, and returns its Content-Security-Policy.
//
// The vendor's script shall not see what people type, so the policy gives the page an origin of its own, even when it is opened
// outside of a frame: the script can neither read our pages nor send requests with their cookies. Inside that origin the vendor
// may do what such scripts do: inline styles, workers, eval. Our own script, the only inline one, sends the token to the page
// around the frame.
func (r *Renderer) Frame(lang string, f Frame) (page []byte, policy string, err error) {
	if lang != english {
		lang = chinese
	}
	html, err := r.texts[lang].T("lang.html")
	if err != nil {
		return nil, "", err
	}
	var out bytes.Buffer
	if err := r.frame.Execute(&out, struct {
		Frame
		HTML, Language, Product string
	}{f, html, map[string]string{chinese: "zho", english: "eng"}[lang], r.face.Name(lang)}); err != nil {
		return nil, "", fmt.Errorf("render page of the frame: %w", err)
	}
	_, script, _ := bytes.Cut(out.Bytes(), []byte("<script>"))
	script, _, _ = bytes.Cut(script, []byte("</script>"))
	sum := sha256.Sum256(script)
	from := " " + strings.Join(f.Sources, " ")
	policy = "sandbox allow-scripts allow-popups; default-src 'none'; " +
		"script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "' 'unsafe-eval'" + from +
		"; style-src 'unsafe-inline'" + from + "; img-src data: blob:" + from + "; media-src data:" + from + "; font-src data:" + from +
		"; connect-src" + from + "; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
	return out.Bytes(), policy, nil
}

package sandbox

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"path"
	"slices"
)

// maxShown is how many of the newest messages the page shows.
const maxShown = 100

//go:embed assets
var assets embed.FS

// pages is read only after it was parsed.
var pages = template.Must(template.ParseFS(assets, "assets/*.html"))

// pageCSP lets the page load its own script, style, events and mail frames, and nothing else.
const pageCSP = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// mailCSP lets a mail look as it was meant to, but run, load and submit nothing. Its links open
// outside the frame.
const mailCSP = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; " +
	"style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"

type inboxPage struct {
	HTTPAddr, SMTPAddr string
	Credentials        Credentials
	Messages           []Message // newest first
	Last               uint64    // sequence number of the newest
	Numbers            []magicNumber
	Mailboxes          []magicMailbox
	Presets            []faultPresets
}

func (s *Server) serveInbox(w http.ResponseWriter, r *http.Request) {
	now := s.mailbox.after(0)
	slices.Reverse(now.messages)
	var page bytes.Buffer
	err := pages.ExecuteTemplate(&page, "inbox.html", inboxPage{
		HTTPAddr: r.Host, SMTPAddr: s.SMTPAddr(), Credentials: s.Credentials(),
		Messages: now.messages, Last: now.sequence,
		Numbers: magicNumbers(), Mailboxes: magicMailboxes(), Presets: presets(),
	})
	if err != nil {
		s.config.Logger.Error("render inbox", "error", err)
		http.Error(w, "the page could not be rendered", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Security-Policy", pageCSP)
	w.Header().Set("Content-Type", typeHTML)
	_, _ = page.WriteTo(w)
}

// serveMailHTML serves the HTML of one mail for its frame: a document with an origin of its own, in
// which no script runs.
func (s *Server) serveMailHTML(w http.ResponseWriter, r *http.Request) {
	message, ok := s.mailbox.find(r.PathValue("id"))
	if !ok || message.HTML == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Security-Policy", mailCSP)
	w.Header().Set("Content-Type", typeHTML)
	_, _ = w.Write([]byte(`<!doctype html><base target="_blank">` + message.HTML))
}

func serveAsset(w http.ResponseWriter, r *http.Request) {
	types := map[string]string{
		"inbox.css": "text/css; charset=utf-8", "inbox.js": "text/javascript; charset=utf-8",
	}
	name := r.PathValue("asset")
	if types[name] == "" {
		http.NotFound(w, r)
		return
	}
	content, err := assets.ReadFile(path.Join("assets", name))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", types[name])
	_, _ = w.Write(content)
}

// faultPresets are the fault buttons of one vendor.
type faultPresets struct {
	Vendor, Title string
	Buttons       []faultButton
}

type faultButton struct {
	Label string
	Fault Fault
}

// JSON returns the fault as the page's script sends it.
func (b faultButton) JSON() (string, error) {
	text, err := json.Marshal(b.Fault)
	return string(text), err
}

func presets() []faultPresets {
	slow := faultButton{"Slow (3 s)", Fault{DelayMS: 3000}}
	lost := faultButton{"Lose the answer", Fault{Reset: true}}
	garbage := faultButton{"Garbage", Fault{Garbage: true}}
	down := faultButton{"HTTP 503", Fault{Status: http.StatusServiceUnavailable}}
	return []faultPresets{
		{vendorAliyun, "Aliyun", []faultButton{
			slow,
			{"Temporary fault", Fault{Code: "isp.SYSTEM_ERROR"}},
			{"No balance", Fault{Code: "isv.AMOUNT_NOT_ENOUGH"}},
			{"Throttled", Fault{Code: "Throttling.User"}},
			down, garbage, lost,
		}},
		{vendorRonglian, "Ronglian", []faultButton{
			slow,
			{"Temporary fault", Fault{Code: "160000"}},
			{"No balance", Fault{Code: "111142"}},
			{"Too frequent", Fault{Code: "160038"}},
			down, garbage, lost,
		}},
		{vendorSMTP, "SMTP", []faultButton{
			slow,
			{"Temporary fault", Fault{Code: "451"}},
			{"Login refused", Fault{Code: "535"}},
			{"No such mailbox", Fault{Code: "550"}},
			{"Spam", Fault{Code: "554"}},
			garbage, lost,
		}},
		{faultReports, "Pushed delivery reports", []faultButton{
			{"Late (10 s)", Fault{DelayMS: 10_000}},
			{"Double", Fault{Double: true}},
		}},
	}
}

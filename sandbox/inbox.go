package sandbox

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxShown is how many of the newest messages the page shows.
const maxShown = 100

//go:embed assets
var assets embed.FS

// pages does not change after it was parsed.
var pages = template.Must(template.ParseFS(assets, "assets/*.html"))

// pageCSP lets the page load only its own script, style, events and mail frames.
const pageCSP = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// mailCSP shows a mail with its own style. The mail cannot run scripts, load resources or submit forms. Its links open outside the
// frame.
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

// serveMailHTML serves the HTML of one mail for its frame: a document with its own origin, in which no script runs.
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
		{vendorAliyunVerify, "Aliyun SMS authentication", []faultButton{
			slow,
			{"Temporary fault", Fault{Code: "SYSTEM_ERROR"}},
			{"Not opened", Fault{Code: "FUNCTION_NOT_OPENED"}},
			{"Too frequent", Fault{Code: "biz.FREQUENCY"}},
			down, garbage, lost,
		}},
		{vendorRonglian, "Ronglian", []faultButton{
			slow,
			{"Temporary fault", Fault{Code: "160000"}},
			{"No balance", Fault{Code: "111142"}},
			{"Too frequent", Fault{Code: "160038"}},
			down, garbage, lost,
		}},
		{vendorTencent, "Tencent", []faultButton{
			slow,
			{"Slow down", Fault{Code: "RequestLimitExceeded"}},
			{"No balance", Fault{Code: "FailedOperation.InsufficientBalanceInSmsPackage"}},
			{"Perhaps sent", Fault{Code: "InternalError.Timeout"}},
			down, garbage, lost,
		}},
		{vendorHTTP, "Signed HTTP sender", []faultButton{
			slow,
			{"Temporary fault", Fault{Code: "temporary"}},
			{"Misconfigured", Fault{Code: "misconfigured"}},
			{"Too frequent", Fault{Code: "rate_limited"}},
			down, lost,
		}},
		{vendorGeetest, "GeeTest", []faultButton{
			slow,
			{"Runtime error", Fault{Code: "-50000"}},
			{"Captcha id paused", Fault{Code: "-50105"}},
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

const (
	// eventPause collects messages, so that a load test does not flood the browser.
	eventPause = 200 * time.Millisecond
	// eventBeat is how often a comment is sent, to notice that a browser has disconnected.
	eventBeat    = 20 * time.Second
	eventTimeout = 10 * time.Second
)

// serveEvents streams new messages to the page as rendered HTML, so that one template renders a message and the script builds no
// HTML. The id of an event is the sequence number. A browser that connects again sends the last one.
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	last, err := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 64)
	if err != nil {
		last, _ = strconv.ParseUint(r.URL.Query().Get("after"), 10, 64)
	}
	now := s.mailbox.after(last)
	if last > now.sequence {
		// The number is from an earlier run: send all messages of this one.
		now = s.mailbox.after(0)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	stream := eventStream{w: w, rc: http.NewResponseController(w)}
	if stream.send(": open\n\n") != nil {
		return
	}
	beat := time.NewTicker(eventBeat)
	defer beat.Stop()
	for clears := now.clears; ; {
		if now.clears != clears {
			clears = now.clears
			if err := stream.send("event: cleared\ndata: -\n\n"); err != nil {
				return
			}
		}
		if err := stream.messages(now); err != nil {
			return
		}
		last = now.sequence
		select {
		case <-now.changed:
			if !s.pause(r.Context(), eventPause) {
				return
			}
		case <-beat.C:
			if stream.send(": still here\n\n") != nil {
				return
			}
		case <-r.Context().Done():
			return
		case <-s.stopped:
			return
		}
		now = s.mailbox.after(last)
	}
}

type eventStream struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

func (e eventStream) messages(g snapshot) error {
	for i := range g.messages {
		var fragment bytes.Buffer
		if err := pages.ExecuteTemplate(&fragment, "message.html", &g.messages[i]); err != nil {
			return err
		}
		// Carriage returns would end a line of the stream too.
		text := strings.ReplaceAll(fragment.String(), "\r", "")
		event := fmt.Sprintf("event: message\nid: %s\ndata: %s\n\n",
			g.messages[i].ID, strings.ReplaceAll(text, "\n", "\ndata: "))
		if err := e.send(event); err != nil {
			return err
		}
	}
	return nil
}

func (e eventStream) send(text string) error {
	if err := e.rc.SetWriteDeadline(time.Now().Add(eventTimeout)); err != nil {
		return err
	}
	if _, err := e.w.Write([]byte(text)); err != nil {
		return err
	}
	return e.rc.Flush()
}

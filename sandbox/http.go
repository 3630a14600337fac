package sandbox

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Handler returns the whole HTTP side: vendors, inbox and its API. Run serves it; a test may serve it itself.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/aliyun/", s.serveAliyun)
	mux.HandleFunc("/tencent/", s.serveTencent)
	mux.HandleFunc("/{$}", s.serveRoot)
	mux.HandleFunc("POST /ronglian/2013-12-26/Accounts/{sid}/SMS/{operation}", s.serveRonglian)
	mux.HandleFunc("POST /2013-12-26/Accounts/{sid}/SMS/{operation}", s.serveRonglian)

	for _, path := range []string{"/http", "/http/{$}", "/http/query"} {
		mux.HandleFunc("POST "+path, s.serveHTTPSender)
	}

	mux.HandleFunc("GET /geetest/validate", s.serveGeetest)
	mux.HandleFunc("POST /geetest/validate", s.serveGeetest)
	mux.HandleFunc("GET /geetest/verify", s.serveGeetestVerify)
	mux.HandleFunc("GET /geetest/v4/gt4.js", serveGeetestScript)

	own := http.NewServeMux()
	own.HandleFunc("GET /inbox", s.serveInbox)
	own.HandleFunc("GET /inbox/events", s.serveEvents)
	own.HandleFunc("GET /inbox/messages/{id}/html", s.serveMailHTML)
	own.HandleFunc("GET /inbox/{asset}", serveAsset)
	own.HandleFunc("GET /api/messages", s.listMessages)
	own.HandleFunc("GET /api/messages/{id}/raw", s.showRaw)
	own.HandleFunc("DELETE /api/messages", s.clearMessages)
	own.HandleFunc("GET /api/tally", s.showTally)
	own.HandleFunc("GET /api/credentials", s.showCredentials)
	own.HandleFunc("GET /api/templates", s.showTemplates)
	own.HandleFunc("GET /api/smtp-ca.pem", s.showSMTPCA)
	own.HandleFunc("GET /api/faults", s.showFaults)
	own.HandleFunc("PUT /api/faults", s.putFaults)
	guarded := s.guard(http.NewCrossOriginProtection().Handler(own))
	mux.Handle("/inbox", guarded)
	mux.Handle("/inbox/", guarded)
	mux.Handle("/api/", guarded)
	return mux
}

// serveRoot separates the calls of Aliyun's and Tencent's SDKs, which cannot set a path, from a browser.
func (s *Server) serveRoot(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-TC-Action") != "" {
		s.serveTencent(w, r)
		return
	}
	if r.Method == http.MethodPost || r.URL.Query().Has("Action") || r.Header.Get("x-acs-action") != "" {
		s.serveAliyun(w, r)
		return
	}
	http.Redirect(w, r, "/inbox", http.StatusSeeOther)
}

// guard refuses unknown host names. A web page whose own name is pointed at this address could otherwise read codes, because the
// browser would treat the sandbox as a part of the page's site (DNS rebinding).
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.ownHost(r) {
			http.Error(w, "this host name is not served here", http.StatusForbidden)
			return
		}
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

// ownHost accepts loopback, the host of the configuration, and the address at which the request arrived: an address cannot be
// rebound.
func (s *Server) ownHost(r *http.Request) bool {
	host := hostOnly(r.Host)
	if strings.EqualFold(host, "localhost") {
		return true
	}
	if listening := hostOnly(s.config.HTTPAddr); listening != "" && strings.EqualFold(host, listening) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	if ip.Unmap().IsLoopback() {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && local.AddrPort().Addr().Unmap() == ip.Unmap()
}

func hostOnly(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}

// maxOwnBody bounds what the sandbox's own API reads.
const maxOwnBody = 16 << 10

func (s *Server) listMessages(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, s.Messages(r.URL.Query().Get("to")))
}

// showRaw serves the bytes of a mail, so that another mail reader can show it.
func (s *Server) showRaw(w http.ResponseWriter, r *http.Request) {
	mail, ok := s.mailbox.find(r.PathValue("id"))
	if !ok || mail.raw == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "message/rfc822")
	w.Header().Set("Content-Disposition", `attachment; filename="`+mail.ID+`.eml"`)
	_, _ = w.Write(mail.raw)
}

func (s *Server) clearMessages(w http.ResponseWriter, _ *http.Request) {
	s.Clear()
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) showCredentials(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.Credentials())
}

func (s *Server) showSMTPCA(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = w.Write(s.certificate)
}

func (s *Server) showFaults(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.Faults())
}

// putFaults replaces all faults: a vendor that is missing in the body has none afterwards.
func (s *Server) putFaults(w http.ResponseWriter, r *http.Request) {
	faults, err := readFaults(http.MaxBytesReader(w, r.Body, maxOwnBody))
	if err == nil {
		err = s.SetFaults(faults)
	}
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, s.Faults())
}

func readFaults(body io.Reader) (Faults, error) {
	var faults Faults
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&faults); err != nil {
		return Faults{}, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Faults{}, errors.New("one JSON object is expected")
	}
	return faults, nil
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the client may have disconnected
}

const (
	typeJSON = "application/json;charset=utf-8"
	typeXML  = "application/xml;charset=utf-8"
	typeHTML = "text/html; charset=utf-8"
)

// An answer is a vendor's answer to one request.
type answer struct {
	status      int
	contentType string
	body        []byte
	lost        bool // the connection closes instead
}

// render makes an answer of a document without maps and interfaces, which cannot fail. The XML root comes from its XMLName field.
func render(status int, asXML bool, document any) answer {
	if !asXML {
		body, _ := json.Marshal(document)
		return answer{status: status, contentType: typeJSON, body: body}
	}
	body, _ := xml.Marshal(document)
	return answer{status: status, contentType: typeXML, body: append([]byte(xml.Header), body...)}
}

func (a answer) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the client may have disconnected
}

// answerSend answers one request to send under the vendor's fault. A refusing fault calls refuse and not send. Any other fault
// changes the answer after send has kept the message.
func (s *Server) answerSend(
	w http.ResponseWriter, r *http.Request, vendor string, refuse func(Fault) answer, send func() answer,
) {
	fault, hit := s.faults.draw(vendor, Fault.hitsSend)
	var a answer
	switch {
	case !hit || !fault.refuses():
		a = send()
	case fault.Code == "":
		a = gatewayPage(fault.Status)
	default:
		a = refuse(fault)
	}
	if hit && !s.pause(r.Context(), fault.delay()) || fault.Reset || a.lost {
		// The documented way to close a connection without an answer.
		panic(http.ErrAbortHandler)
	}
	if fault.Garbage {
		a = answer{status: http.StatusOK, contentType: a.contentType, body: []byte("{\"\x00\xff<garbage")}
	}
	if a.status/100 == 3 {
		w.Header().Set("Location", r.URL.RequestURI())
	}
	a.write(w)
}

// pause waits and reports whether the whole time has passed.
func (s *Server) pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-s.stopped:
	}
	return false
}

// gatewayPage is the answer of a load balancer in front of the vendor.
func gatewayPage(status int) answer {
	title := fmt.Sprintf("%d %s", status, http.StatusText(status))
	page := "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title +
		"</h1></center>\r\n</body>\r\n</html>\r\n"
	return answer{status: status, contentType: "text/html", body: []byte(page)}
}

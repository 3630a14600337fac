package sandbox

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Handler returns the whole HTTP side: vendors, inbox and its API. Run serves it; tests may serve it
// themselves.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/aliyun/", s.serveAliyun)
	mux.HandleFunc("/{$}", s.serveRoot)
	mux.HandleFunc("POST /ronglian/2013-12-26/Accounts/{sid}/SMS/{operation}", s.serveRonglian)
	mux.HandleFunc("POST /2013-12-26/Accounts/{sid}/SMS/{operation}", s.serveRonglian)

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

// serveRoot tells the calls of stock Aliyun SDKs, which know no path, from a person's browser.
func (s *Server) serveRoot(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost || r.URL.Query().Has("Action") || r.Header.Get("x-acs-action") != "" {
		s.serveAliyun(w, r)
		return
	}
	http.Redirect(w, r, "/inbox", http.StatusSeeOther)
}

// guard keeps web pages out: a name that was rebound to this address would make the browser take the
// sandbox for a part of the page's own site and let it read codes.
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

// ownHost accepts loopback, the host that the sandbox was told to listen on, and the very address
// that the request came in by; a literal address cannot be rebound.
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

package app

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"usher/config"
)

// opsHosts decides which Host headers the operations port answers. A web page whose own name was rebound to this
// address is same-origin for its browser, so that neither Origin nor Sec-Fetch-Site gives it away; its Host does.
type opsHosts []string // host names in lower case

// newOpsHosts adds the host of the address that the port listens on to the names of USHER_OPS_HOSTS.
func newOpsHosts(addr string, names []string) opsHosts {
	host, _, _ := net.SplitHostPort(addr)
	hosts := make(opsHosts, 0, len(names)+1)
	for _, name := range append([]string{host}, names...) {
		if name, err := config.Host(name); err == nil {
			hosts = append(hosts, name)
		}
	}
	return hosts
}

// answers accepts the configured names, names of loopback, and any literal address, since an address cannot be rebound.
// The port is not compared: a tunnel to this port may have another one at its own end.
func (h opsHosts) answers(hostport string) bool {
	host := hostport
	if name, _, err := net.SplitHostPort(hostport); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return config.IsLoopback(host) || slices.Contains(h, host)
}

// guardHost refuses Host headers that are not of this port with 421. Health is exempt: probes come by any name, and it
// has no secrets.
func (h opsHosts) guardHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		isHealth := r.URL.Path == "/healthz" || r.URL.Path == "/readyz"
		if !isHealth && !h.answers(r.Host) {
			http.Error(w, "this host name is not served here: add it to "+config.Prefix+"OPS_HOSTS",
				http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// guardOrigin refuses what a page of another site sends or embeds. A link from elsewhere may still open a page here.
func guardOrigin(next http.Handler) http.Handler {
	protected := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site := r.Header.Get("Sec-Fetch-Site")
		isLink := r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" &&
			r.Header.Get("Sec-Fetch-Dest") == "document"
		if (site == "cross-site" || site == "same-site") && !isLink {
			http.Error(w, "requests of other sites are refused", http.StatusForbidden)
			return
		}
		protected.ServeHTTP(w, r)
	})
}

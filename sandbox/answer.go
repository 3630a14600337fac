package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const (
	typeJSON = "application/json;charset=utf-8"
	typeXML  = "application/xml;charset=utf-8"
	typeHTML = "text/html; charset=utf-8"
)

// An answer is what a vendor says to one request.
type answer struct {
	status      int
	contentType string
	body        []byte
	lost        bool // the connection closes instead
}

func (a answer) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the client may be gone, which is its own affair
}

// answerSend answers one request to send under the vendor's fault. A refusing fault asks refuse for
// the answer and never calls send; any other spoils the answer after send has kept the message.
func (s *Server) answerSend(
	w http.ResponseWriter, r *http.Request, vendor string, refuse func(Fault) answer, send func() answer,
) {
	fault, hit := s.faults.draw(vendor, nil)
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

// pause waits and reports whether it waited to the end.
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

// gatewayPage is what a load balancer in front of the vendor says.
func gatewayPage(status int) answer {
	title := fmt.Sprintf("%d %s", status, http.StatusText(status))
	page := "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title +
		"</h1></center>\r\n</body>\r\n</html>\r\n"
	return answer{status: status, contentType: "text/html", body: []byte(page)}
}

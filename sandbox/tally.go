package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// maxArrivals is how many of the newest arrivals a tally keeps.
const maxArrivals = 1 << 17

// A tally counts messages in place of a mailbox, for measurements: the vendor's own work must not take processor time from the
// program that is measured on the same machine. It is safe for concurrent use.
type tally struct {
	mu       sync.Mutex
	vendors  map[string]*VendorTally
	arrivals []Arrival // a ring
	total    int
}

// Tally is what a sandbox that only counts has counted since it was cleared.
type Tally struct {
	Vendors  map[string]VendorTally `json:"vendors"`            // by "aliyun", "ronglian", "tencent" and "smtp"
	Arrivals []Arrival              `json:"arrivals,omitempty"` // the newest ones, in order
}

// VendorTally counts the messages of one vendor. Its times are nanoseconds since 1970.
type VendorTally struct {
	Count int   `json:"count"`
	First int64 `json:"first"`
	Last  int64 `json:"last"`
}

// Arrival is when a message arrived, in nanoseconds since 1970.
type Arrival struct {
	To string `json:"to"`
	At int64  `json:"at"`
}

func newTally() *tally { return &tally{vendors: map[string]*VendorTally{}} }

// add counts a message and returns how many there are.
func (t *tally) add(vendor, to string, at time.Time) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := t.vendors[vendor]
	if v == nil {
		v = &VendorTally{First: at.UnixNano()}
		t.vendors[vendor] = v
	}
	v.Count++
	v.Last = at.UnixNano()
	if arrival := (Arrival{to, at.UnixNano()}); len(t.arrivals) < maxArrivals {
		t.arrivals = append(t.arrivals, arrival)
	} else {
		t.arrivals[t.total%maxArrivals] = arrival
	}
	t.total++
	return t.total
}

func (t *tally) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.vendors, t.arrivals, t.total = map[string]*VendorTally{}, nil, 0
}

func (t *tally) read(arrivals bool) Tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := Tally{Vendors: make(map[string]VendorTally, len(t.vendors))}
	for name, v := range t.vendors {
		all.Vendors[name] = *v
	}
	if arrivals {
		oldest := 0
		if len(t.arrivals) == maxArrivals {
			oldest = t.total % maxArrivals
		}
		all.Arrivals = append(append(all.Arrivals, t.arrivals[oldest:]...), t.arrivals[:oldest]...)
	}
	return all
}

// keep puts the records into the mailbox, or only counts them.
func (s *Server) keep(records ...*record) {
	if s.tally == nil {
		s.mailbox.keep(records...)
		return
	}
	for _, r := range records {
		s.tally.add(r.Provider, r.To, r.ReceivedAt)
	}
}

// showTally answers 404 while messages are kept.
func (s *Server) showTally(w http.ResponseWriter, r *http.Request) {
	if s.tally == nil {
		http.NotFound(w, r)
		return
	}
	writeJSON(w, http.StatusOK, s.tally.read(r.URL.Query().Has("arrivals")))
}

// tallyAliyun counts a SendSms of the older signature without checking it. It reports whether the request was one.
func (s *Server) tallyAliyun(w http.ResponseWriter, r *http.Request) bool {
	if s.tally == nil {
		return false
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || query.Get("Action") != "SendSms" || query.Get("PhoneNumbers") == "" {
		return false
	}
	id := s.tallySMS(r, vendorAliyun, query.Get("PhoneNumbers"))
	answer{status: http.StatusOK, contentType: typeJSON, body: []byte(
		`{"Message":"OK","RequestId":"T-` + id + `","BizId":"9` + id + `^0","Code":"OK"}`)}.write(w)
	return true
}

// tallyTencent does the same with a SendSms of Tencent's whose body was read.
func (s *Server) tallyTencent(w http.ResponseWriter, r *http.Request, call *tencentCall) bool {
	var sms tencentSMS
	if s.tally == nil || call.action() != "SendSms" || json.Unmarshal(call.body, &sms) != nil || len(sms.PhoneNumberSet) != 1 {
		return false
	}
	id := s.tallySMS(r, vendorTencent, sms.PhoneNumberSet[0])
	answer{status: http.StatusOK, contentType: typeJSON, body: []byte(
		`{"Response":{"SendStatusSet":[{"SerialNo":"5000:` + id + `","Fee":1,"Code":"Ok","Message":"send success"}],"RequestId":"T-` + id + `"}}`)}.write(w)
	return true
}

// tallySMS counts a message, waits as the vendor's fault says, and returns the number of the message.
func (s *Server) tallySMS(r *http.Request, vendor, number string) string {
	n := s.tally.add(vendor, normalNumber(number), s.config.Now())
	if fault, hit := s.faults.draw(vendor, Fault.hitsSend); hit && !s.pause(r.Context(), fault.delay()) {
		panic(http.ErrAbortHandler) // closes the connection without an answer
	}
	return strconv.Itoa(n)
}

// tallyMail reads a mail to its end and counts it.
func (s *Server) tallyMail(r io.Reader, recipients []string) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	for _, recipient := range recipients {
		s.tally.add(vendorSMTP, recipient, s.config.Now())
	}
	return nil
}

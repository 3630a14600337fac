package sandbox

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	maxFaultDelay = 5 * time.Minute
	maxFaultCount = 1_000_000

	maxFaultPrefixes = 100

	// faultReports stands for pushed reports among the vendors.
	faultReports = "reports"
)

// Faults are the active faults by vendor; nil means none. They affect sends only: queries and requests for reports are always
// answered correctly, so that a client can learn the outcome of a send. Pushed reports have their own fault.
type Faults struct {
	// Aliyun disturbs SendSms.
	Aliyun *Fault `json:"aliyun"`
	// AliyunVerify disturbs SendSmsVerifyCode.
	AliyunVerify *Fault `json:"aliyun_verify"`
	// Ronglian disturbs TemplateSMS.
	Ronglian *Fault `json:"ronglian"`
	// Tencent disturbs SendSms.
	Tencent *Fault `json:"tencent"`
	// HTTP disturbs the sends of the signed HTTP sender; its codes are the kinds.
	HTTP *Fault `json:"http"`
	// Geetest disturbs the answers to /validate.
	Geetest *Fault `json:"geetest"`
	// SMTP disturbs the mail dialogue at the command to which its code belongs.
	SMTP *Fault `json:"smtp"`
	// Reports disturbs the delivery reports that are pushed: it makes them late, double, or both.
	Reports *Fault `json:"reports"`
}

// A Fault is one disturbance. Code and Status refuse the message, which is then not kept. With Garbage and Reset the message is
// kept and the answer is lost. A delay can be set with each of them, or alone. Undelivered changes the report and stands alone.
type Fault struct {
	// DelayMS delays the answer by so many milliseconds. The message is kept before the delay.
	DelayMS int `json:"delay_ms,omitempty"`
	// Code is the vendor's error code: "isp.SYSTEM_ERROR", "160000", "RequestLimitExceeded", or an SMTP reply such as "451".
	Code string `json:"code,omitempty"`
	// Status is the HTTP status; without a code the body is a gateway's HTML page.
	Status int `json:"status,omitempty"`
	// Garbage answers with bytes that no client can read.
	Garbage bool `json:"garbage,omitempty"`
	// Reset closes the connection without an answer.
	Reset bool `json:"reset,omitempty"`
	// Double pushes a report twice; it is for reports only.
	Double bool `json:"double,omitempty"`
	// Undelivered accepts an SMS and reports it as undelivered, as when a carrier blocks the sign name.
	Undelivered bool `json:"undelivered,omitempty"`
	// Prefixes limit Undelivered to numbers that begin with one of them, such as those of one carrier: "130" for a mainland
	// number, "852" for one abroad. None means all numbers.
	Prefixes []string `json:"prefixes,omitempty"`
	// Probability is the share of sends that are hit, from 0 to 1; 0 means all.
	Probability float64 `json:"probability,omitempty"`
	// Count is how many hits are left before the fault ends; 0 means no end.
	Count int `json:"count,omitempty"`
}

func (f Fault) delay() time.Duration { return time.Duration(f.DelayMS) * time.Millisecond }

func (f Fault) refuses() bool { return f.Code != "" || f.Status != 0 }

// hitsSend reports whether the fault disturbs a send, and not only the report that follows.
func (f Fault) hitsSend() bool { return !f.Undelivered }

// blocks reports whether the fault makes messages to the number, which is in normal form, undelivered.
func (f Fault) blocks(number string) bool {
	return f.Undelivered && (len(f.Prefixes) == 0 ||
		slices.ContainsFunc(f.Prefixes, func(prefix string) bool { return strings.HasPrefix(number, prefix) }))
}

var (
	nameCodePattern     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._]{0,63}$`)
	ronglianCodePattern = regexp.MustCompile(`^[0-9]{6}$`)
	geetestCodePattern  = regexp.MustCompile(`^-[0-9]{5}$`)
	httpKindPattern     = regexp.MustCompile(`^(temporary|rate_limited|rejected|misconfigured|unknown)$`)
	smtpCodePattern     = regexp.MustCompile(`^[45][0-9]{2}$`)
	noCodePattern       = regexp.MustCompile(`^$`)
	prefixPattern       = regexp.MustCompile(`^[0-9]{1,15}$`)
)

func (f *Fault) validate(vendor string) error {
	if f == nil {
		return nil
	}
	code := map[string]*regexp.Regexp{
		vendorAliyun: nameCodePattern, vendorAliyunVerify: nameCodePattern, vendorRonglian: ronglianCodePattern, vendorTencent: nameCodePattern, vendorSMTP: smtpCodePattern,
		vendorHTTP: httpKindPattern, vendorGeetest: geetestCodePattern,
		faultReports: noCodePattern,
	}[vendor]
	switch {
	case f.DelayMS < 0 || f.delay() > maxFaultDelay:
		return fmt.Errorf("%s: delay_ms must be from 0 to %d", vendor, maxFaultDelay.Milliseconds())
	case f.Code != "" && !code.MatchString(f.Code), strings.EqualFold(f.Code, "OK"), f.Code == ronglianOK:
		return fmt.Errorf("%s: code is not an error code of this vendor", vendor)
	case f.Status != 0 && vendor == vendorSMTP:
		return errors.New("smtp: status is for HTTP, use code")
	case f.Status != 0 && (f.Status < 300 || f.Status > 599):
		return fmt.Errorf("%s: status must be from 300 to 599", vendor)
	case !(f.Probability >= 0 && f.Probability <= 1):
		return fmt.Errorf("%s: probability must be from 0 to 1", vendor)
	case f.Count < 0 || f.Count > maxFaultCount:
		return fmt.Errorf("%s: count must be from 0 to %d", vendor, maxFaultCount)
	}
	return errors.Join(f.validateEffect(vendor), f.validateUndelivered(vendor))
}

// validateUndelivered checks what decides reports.
func (f *Fault) validateUndelivered(vendor string) error {
	switch {
	case f.Undelivered && (vendor == vendorSMTP || vendor == vendorGeetest || vendor == faultReports):
		return fmt.Errorf("%s: undelivered is for the vendors of SMS", vendor)
	case f.Undelivered && f.DelayMS != 0:
		return fmt.Errorf("%s: undelivered takes no delay_ms", vendor)
	case len(f.Prefixes) > 0 && !f.Undelivered:
		return fmt.Errorf("%s: prefixes are for undelivered", vendor)
	case len(f.Prefixes) > maxFaultPrefixes:
		return fmt.Errorf("%s: want at most %d prefixes", vendor, maxFaultPrefixes)
	}
	for _, prefix := range f.Prefixes {
		if !prefixPattern.MatchString(prefix) {
			return fmt.Errorf("%s: a prefix must have 1 to 15 digits", vendor)
		}
	}
	return nil
}

// validateEffect requires at most one effect beside the delay, and at least one in all.
func (f *Fault) validateEffect(vendor string) error {
	effects := 0
	for _, set := range []bool{f.refuses(), f.Garbage, f.Reset, f.Undelivered} {
		if set {
			effects++
		}
	}
	if isReports := vendor == faultReports; f.Double && !isReports || isReports && effects > 0 {
		return fmt.Errorf("%s: double is for reports, and reports take delay_ms and double only", vendor)
	}
	if f.Double {
		effects++
	}
	if effects > 1 {
		return fmt.Errorf("%s: choose one of code and status, garbage, reset, undelivered", vendor)
	}
	if effects == 0 && f.DelayMS == 0 {
		return fmt.Errorf("%s: the fault has no effect, use null to end it", vendor)
	}
	return nil
}

// A faultSet keeps the active faults. It is safe for concurrent use.
type faultSet struct {
	mu     sync.Mutex
	faults Faults
}

func (s *faultSet) set(f Faults) error {
	var err error
	for _, vendor := range faultVendors {
		err = errors.Join(err, (*f.of(vendor)).validate(vendor))
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f.clone()
	return nil
}

func (s *faultSet) get() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults.clone()
}

func (f Faults) clone() Faults {
	for _, vendor := range faultVendors {
		if fault := f.of(vendor); *fault != nil {
			*fault = new(**fault)
			(*fault).Prefixes = slices.Clone((*fault).Prefixes)
		}
	}
	return f
}

var faultVendors = []string{vendorAliyun, vendorAliyunVerify, vendorRonglian, vendorTencent, vendorHTTP, vendorGeetest, vendorSMTP, faultReports}

// of returns where the fault of a vendor is kept.
func (f *Faults) of(vendor string) **Fault {
	switch vendor {
	case vendorAliyun:
		return &f.Aliyun
	case vendorAliyunVerify:
		return &f.AliyunVerify
	case vendorRonglian:
		return &f.Ronglian
	case vendorTencent:
		return &f.Tencent
	case vendorHTTP:
		return &f.HTTP
	case vendorGeetest:
		return &f.Geetest
	case vendorSMTP:
		return &f.SMTP
	default:
		return &f.Reports
	}
}

// draw decides whether the vendor's fault hits this request, and counts the hit. A fault for which applies is false does not hit;
// a nil applies means true.
func (s *faultSet) draw(vendor string, applies func(Fault) bool) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.faults.of(vendor)
	f := *kept
	if f == nil || applies != nil && !applies(*f) {
		return Fault{}, false
	}
	if f.Probability > 0 && rand.Float64() >= f.Probability {
		return Fault{}, false
	}
	hit := *f
	if f.Count > 0 {
		if f.Count--; f.Count == 0 {
			*kept = nil
		}
	}
	return hit, true
}

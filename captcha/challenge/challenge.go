// Package challenge has the parts of a captcha that are stored until it is answered. Package captcha makes captchas; the
// stores, which only keep them, need neither its fonts nor its voices.
package challenge

// Medium says whether a challenge is for the eye, the ear or the computer.
type Medium string

// The media.
const (
	Image Medium = "image"
	Audio Medium = "audio"
	Work  Medium = "pow" // a proof of work, see package pow

	// Hosted is a challenge of a vendor, see package hosted. Its answer is the vendor's token.
	Hosted Medium = "hosted"
)

// Notes in place of a challenge that was answered. They have no answer.
const (
	Used Medium = "used" // the request with the answer is in progress
	Done Medium = "done" // that request has succeeded
)

// Price is the cost of a challenge for a machine. With a high one a person passes limits that strangers have used up, so
// it must cost a machine more than what it opens is worth.
type Price string

// The prices. A picture or recording of the raised price comes with a proof of work; one of the high price has more
// characters than a normal one.
const (
	Normal Price = "normal"
	Raised Price = "raised"
	High   Price = "high"
)

// Times returns how many times the work of the normal price a proof of work takes; 0 for no price.
func (p Price) Times() int {
	switch p {
	case Normal:
		return 1
	case Raised:
		return 4
	case High:
		return 16
	default:
		return 0
	}
}

// Valid reports whether p is one of the prices.
func (p Price) Valid() bool { return p.Times() > 0 }

// Covers reports whether p is not lower than the wanted price.
func (p Price) Covers(wanted Price) bool { return p.Times() >= wanted.Times() }

// Asked is what is stored about a challenge until it is answered. The zero value means that it was spent or has expired.
type Asked struct {
	Medium Medium // empty in records of older versions
	Price  Price  // Normal in records of older versions
	Answer string // compare with captcha.Match; secret
}

// NeedsWork reports whether the answer is or includes a proof of work. A vendor's challenge needs none.
func (a Asked) NeedsWork() bool { return a.Medium == Work || a.Price == Raised && a.Medium != Hosted }

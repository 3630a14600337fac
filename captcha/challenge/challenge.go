// Package challenge names what a captcha is made of and what is kept of it until it is answered. Package captcha makes
// captchas; stores, which only keep them, need no fonts and voices.
package challenge

// Medium says which sense a challenge is made for, or that it is made for the computer.
type Medium string

// The media.
const (
	Image Medium = "image"
	Audio Medium = "audio"
	Work  Medium = "pow" // a proof of work, see package pow
)

// Notes in the place of a challenge that was answered. They have no answer.
const (
	Used Medium = "used" // the request that it was answered for is being worked on
	Done Medium = "done" // that request was done
)

// Price says how much work a challenge is. A high one lets a person pass where strangers have used up what is allowed
// without it, so it has to cost a robot more than the thing that it opens.
type Price string

// The prices. A picture or recording of the high price has more characters than a normal one.
const (
	Normal Price = "normal"
	High   Price = "high"
)

// Valid reports whether p is one of the prices.
func (p Price) Valid() bool { return p == Normal || p == High }

// Asked is what is kept about a challenge until it is answered. The zero value stands for a challenge that is gone.
type Asked struct {
	Medium Medium // empty when it was filed before media were kept
	Price  Price  // Normal when it was filed before prices were kept
	Work   bool   // whether a proof of work is asked beside the answer
	Answer string // compare with captcha.Match; secret
}

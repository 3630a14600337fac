package captcha

// Price says how much work a challenge is. A high one lets a person pass where strangers have used up what is allowed
// without it, so it has to cost a robot more than the thing that it opens.
type Price string

// The prices. A picture or recording of the high price has [highExtra] more characters than a normal one, and a proof of
// work has sixteen times the work.
const (
	Normal Price = "normal"
	High   Price = "high"
)

// highExtra is how many characters a challenge of the high price has more: each makes guessing eight times harder, and
// a solver that reads one character of two right reads three more in one of eight.
const highExtra = 3

func (p Price) extra() int {
	if p == High {
		return highExtra
	}
	return 0
}

// Valid reports whether p is one of the prices.
func (p Price) Valid() bool { return p == Normal || p == High }

// Asked is what is kept about a challenge until it is answered. The zero value stands for a challenge that is gone.
type Asked struct {
	Medium Medium // empty when it was filed before media were kept
	Price  Price  // Normal when it was filed before prices were kept
	Answer string // compare with Match; secret
}

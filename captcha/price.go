package captcha

// highExtra is how many characters a challenge of the high price has more: each makes guessing eight times harder, and
// a solver that reads one character of two right reads three more in one of eight.
const highExtra = 3

// extra is how many more characters a price asks.
func extra(p Price) int {
	if p == High {
		return highExtra
	}
	return 0
}

package wire

import (
	"strconv"

	"usher/config"
)

// maxBound is far above what a vendor's gateway takes.
const maxBound = 10_000

// CheckBounds returns what is wrong with the bounds of a vendor whose variables begin with the prefix.
func CheckBounds(prefix string, perSecond, concurrent int) (m config.Mistakes) {
	check := func(variable string, value int) {
		if value < 0 || value > maxBound {
			m = append(m, config.Mistake{Variable: prefix + variable, Text: "want 0 to " + strconv.Itoa(maxBound)})
		}
	}
	check("_QPS", perSecond)
	check("_CONCURRENCY", concurrent)
	return m
}

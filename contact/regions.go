package contact

import (
	"errors"
	"fmt"
	"slices"

	"github.com/nyaruka/phonenumbers/v2"
)

// ErrRegion is returned for a mobile number of a region that is not served.
var ErrRegion = errors.New("mobile number of a region that is not served")

// Regions are the regions whose numbers are served, as ISO 3166 codes; the first one is meant by numbers without a country code. The
// zero value serves the mainland. It is safe for concurrent use. Make it with [NewRegions].
type Regions struct{ codes []string }

// NewRegions returns the regions of the codes, such as CN and HK. It returns an error that names a code which is unknown, has
// lower-case letters or comes twice. Without codes it returns the zero value.
func NewRegions(codes []string) (Regions, error) {
	known := phonenumbers.GetSupportedRegions()
	for i, code := range codes {
		if !known[code] {
			return Regions{}, fmt.Errorf("%q is no region", code)
		}
		if slices.Contains(codes[:i], code) {
			return Regions{}, fmt.Errorf("%s is named twice", code)
		}
	}
	return Regions{slices.Clone(codes)}, nil
}

// Codes returns the codes, the region of numbers without a country code first. It is never empty.
func (r Regions) Codes() []string { return slices.Clone(r.served()) }

var mainlandOnly = []string{Mainland}

// served is Codes without a copy, for what every request asks. The slice must not be changed.
func (r Regions) served() []string {
	if len(r.codes) == 0 {
		return mainlandOnly
	}
	return r.codes
}

// MainlandOnly reports whether no other numbers than those of the mainland are served.
func (r Regions) MainlandOnly() bool { return slices.Equal(r.served(), mainlandOnly) }

// Serves reports whether the number's region is served.
func (r Regions) Serves(m Mobile) bool { return slices.Contains(r.served(), m.region) }

// Parse reads a number as people type and paste it, see [input.Number]. It returns [ErrMobile] for everything that cannot be one
// mobile number, and [ErrRegion] for a mobile number that is not served.
func (r Regions) Parse(s string) (Mobile, error) {
	m, err := r.ParseAny(s)
	if err == nil && !r.Serves(m) {
		return Mobile{}, ErrRegion
	}
	return m, err
}

// ParseAny is [Regions.Parse] without the test whether the number is served. It is for searches and logins: an account may have a
// number of a region that was served earlier.
func (r Regions) ParseAny(s string) (Mobile, error) { return parseMobile(s, r.served()[0]) }

// CallingCode returns the country code of a region, such as 852 for HK, or 0 for a region that is unknown.
func CallingCode(region string) int { return phonenumbers.GetCountryCodeForRegion(region) }

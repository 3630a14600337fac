package contact

import (
	"strings"

	"github.com/nyaruka/phonenumbers/v2"
)

// nowhere is the library's region of numbers without a country, such as those of satellite phones.
const nowhere = "001"

// parseAbroad reads a number outside the mainland: with a plus sign and any country code, or as it is dialled in the region. The
// text has no other characters than digits and the plus sign.
func parseAbroad(s, region string) (Mobile, error) {
	if digits, international := strings.CutPrefix(s, "+"); international {
		if m, ok := parsePlain(digits); ok {
			return m, nil
		}
	}
	return parseByLibrary(s, region)
}

func parseByLibrary(s, region string) (Mobile, error) {
	number, err := phonenumbers.Parse(s, region)
	if err != nil { // it quotes the number
		return Mobile{}, ErrMobile
	}
	national := phonenumbers.GetNationalSignificantNumber(number)
	if phonenumbers.GetRegionCodeForCountryCode(int(number.GetCountryCode())) == Mainland {
		return newMainland(national)
	}
	found := phonenumbers.GetRegionCodeForNumber(number)
	if found == "" || found == nowhere || !canBeMobile(number) {
		return Mobile{}, ErrMobile
	}
	full := phonenumbers.Format(number, phonenumbers.E164)
	return Mobile{hidden{full: full, masked: masked(full, len(national))}, found}, nil
}

// canBeMobile reports whether a valid number can be a mobile one. In North America the two kinds look alike.
func canBeMobile(number *phonenumbers.PhoneNumber) bool {
	kind := phonenumbers.GetNumberType(number)
	return kind == phonenumbers.MOBILE || kind == phonenumbers.FIXED_LINE_OR_MOBILE
}

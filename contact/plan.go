package contact

import (
	"regexp"
	"slices"
	"strconv"
	"sync"

	"github.com/nyaruka/phonenumbers/v2"
	"github.com/nyaruka/phonenumbers/v2/metadata"
)

// plan is what the library knows of a region's numbers, compiled once. The library itself joins and looks up some thirty expressions
// for each number, which takes five times as long.
type plan struct {
	trunk  *regexp.Regexp // what is dialled before a number inside the region; nil without one
	all    form
	mobile form
	others []form // kinds that a number belongs to in place of the mobile ones
}

// form is how numbers of a kind look. Without lengths the expression alone decides.
type form struct {
	lengths []int32
	digits  *regexp.Regexp
}

func (f form) matches(national string) bool {
	return (len(f.lengths) == 0 || slices.Contains(f.lengths, int32(len(national)))) && f.digits.MatchString(national) //nolint:gosec // a number is short
}

func newForm(d *metadata.PhoneNumberDesc) form {
	return form{d.GetPossibleLength(), regexp.MustCompile("^(?:" + d.GetNationalNumberPattern() + ")$")}
}

// plans has a *plan for each region that was asked for; nil for those that are left to the library.
var plans sync.Map

func planOf(region string) *plan {
	if p, ok := plans.Load(region); ok {
		return p.(*plan)
	}
	p, _ := plans.LoadOrStore(region, newPlan(region))
	return p.(*plan)
}

// newPlan returns nil where fixed and mobile numbers look alike.
func newPlan(region string) *plan {
	m, _ := metadata.RegionMetadata(region)
	if m == nil || m.GetSameMobileAndFixedLinePattern() {
		return nil
	}
	p := &plan{all: newForm(m.GetGeneralDesc()), mobile: newForm(m.GetMobile())}
	if prefix := m.GetNationalPrefixForParsing(); prefix != "" {
		p.trunk = regexp.MustCompile("^(?:" + prefix + ")")
	}
	for _, d := range []*metadata.PhoneNumberDesc{
		m.GetPremiumRate(), m.GetTollFree(), m.GetSharedCost(), m.GetVoip(), m.GetPersonalNumber(), m.GetPager(), m.GetUan(), m.GetVoicemail(),
	} {
		if d != nil && !slices.Equal(d.GetPossibleLength(), []int32{-1}) { // which means that there are no such numbers
			p.others = append(p.others, newForm(d))
		}
	}
	return p
}

// longestCode is the most digits of a country code.
const longestCode = 3

// parsePlain reads the digits of a number in E.164. It is false for all that is not plainly a mobile number of a country code with one
// region, which the library decides: numbers that are wrong, have a prefix of their region, or begin with 0.
func parsePlain(digits string) (m Mobile, ok bool) {
	for i := 1; i <= min(longestCode, len(digits)-1); i++ {
		code, err := strconv.Atoi(digits[:i])
		if err != nil || code == 0 {
			return Mobile{}, false
		}
		regions := phonenumbers.GetRegionCodesForCountryCode(code)
		if len(regions) == 0 {
			continue
		}
		national := digits[i:]
		if len(regions) > 1 || regions[0] == nowhere || regions[0] == Mainland || national[0] == '0' {
			return Mobile{}, false
		}
		p := planOf(regions[0])
		if p == nil || p.trunk != nil && p.trunk.MatchString(national) || !p.mobile.matches(national) || !p.all.matches(national) ||
			slices.ContainsFunc(p.others, func(other form) bool { return other.matches(national) }) {
			return Mobile{}, false
		}
		full := "+" + digits
		return Mobile{hidden{full: full, masked: masked(full, len(national))}, regions[0]}, true
	}
	return Mobile{}, false
}

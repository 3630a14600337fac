package contact

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers/v2"
)

// likeExamples returns numbers of all regions and kinds that are like the library's examples: each has a few other digits, or is longer
// or shorter by one.
func likeExamples(random *rand.Rand, each int) []string {
	var numbers []string
	regions := phonenumbers.GetSupportedRegions()
	names := make([]string, 0, len(regions))
	for name := range regions {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for kind := range phonenumbers.UNKNOWN {
			example := phonenumbers.GetExampleNumberForTypeInRegion(name, kind)
			if example == nil {
				continue
			}
			for range each {
				digits := []byte(strings.TrimPrefix(phonenumbers.Format(example, phonenumbers.E164), "+"))
				for range random.IntN(5) {
					digits[random.IntN(len(digits))] = byte('0' + random.IntN(10))
				}
				switch random.IntN(8) {
				case 0:
					digits = append(digits, byte('0'+random.IntN(10)))
				case 1:
					digits = digits[:len(digits)-1]
				}
				numbers = append(numbers, string(digits))
			}
		}
	}
	return numbers
}

// The short way must say what the library says, and must be the usual one.
func Test_parsePlain_agrees_with_the_library(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	each := 40
	if testing.Short() {
		each = 4
	}
	plain, mobile := 0, 0
	for _, digits := range likeExamples(random, each) {
		want, err := parseByLibrary("+"+digits, "")
		if err == nil && want.region != Mainland {
			mobile++
		}
		if got, ok := parsePlain(digits); ok {
			plain++
			if err != nil || got != want {
				t.Errorf("+%s is %s of %q, the library says %s of %q, %v", digits, got.Reveal(), got.region, want.Reveal(), want.region, err)
			}
		}
	}
	if plain < mobile/2 {
		t.Errorf("%d of %d mobile numbers go the short way, want at least half", plain, mobile)
	}
}

func Fuzz_parsePlain(f *testing.F) {
	for _, digits := range likeExamples(rand.New(rand.NewPCG(1, 2)), 1) {
		f.Add(digits)
	}
	f.Fuzz(func(t *testing.T, digits string) {
		if strings.Trim(digits, "0123456789") != "" {
			return // input.Number leaves nothing else
		}
		got, ok := parsePlain(digits)
		if want, err := parseByLibrary("+"+digits, ""); ok && (err != nil || got != want) {
			t.Errorf("+%s is %s of %q, the library says %s of %q, %v", digits, got.Reveal(), got.region, want.Reveal(), want.region, err)
		}
	})
}

package accounts

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Bounds of a user name in code points, after NFKC.
const (
	minUsername = 5
	maxUsername = 20
)

// maxUsernameBytes bounds what is normalised: no acceptable name comes near it, however it is encoded.
const maxUsernameBytes = 512

// username is a valid user name: as it is shown, and as it is compared.
type username struct{ shown, canonical string }

// CanonicalUsername returns a user name in NFKC, as it is shown, and folded, as it is compared and kept
// unique, so that full-width, composed and upper-case twins are one name. It reports false unless the
// name has 5 to 20 letters, digits and underscores and is not a mere number. Letters that show nothing,
// such as the Hangul fillers, are refused. No name can be taken for a number or an address at sign-in.
func CanonicalUsername(s string) (shown, canonical string, ok bool) {
	name, problem := parseUsername(s)
	return name.shown, name.canonical, problem == ""
}

// parseUsername returns an empty problem for a valid name.
func parseUsername(s string) (username, Problem) {
	switch {
	case s == "":
		return username{}, Missing
	case len(s) > maxUsernameBytes:
		return username{}, TooLong
	case !utf8.ValidString(s):
		return username{}, Malformed
	}
	shown := norm.NFKC.String(s)
	number := true
	for _, r := range shown {
		if !usernameRune(r) {
			return username{}, Malformed
		}
		number = number && unicode.IsNumber(r)
	}
	switch length := utf8.RuneCountInString(shown); {
	case length < minUsername:
		return username{}, TooShort
	case length > maxUsername:
		return username{}, TooLong
	case number:
		return username{}, NotAllowed
	}
	return username{shown, fold(shown)}, ""
}

func usernameRune(r rune) bool {
	return r == '_' || (unicode.IsLetter(r) || unicode.IsNumber(r)) &&
		!unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}

// fold makes texts equal that differ in case or in compatible forms only. Folding can undo the
// normalisation, so it comes in between. The caser is made anew since it keeps state.
func fold(s string) string {
	return norm.NFKC.String(strings.Map(foldCherokee, cases.Fold().String(norm.NFKC.String(s))))
}

// foldCherokee makes up for x/text, which folds Cherokee's capitals to small letters and the small ones to
// capitals, so that two names that differ in case alone would be two names.
func foldCherokee(r rune) rune {
	if unicode.Is(unicode.Cherokee, r) {
		return unicode.ToUpper(r)
	}
	return r
}

package accounts

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mtibben/confusables"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"usher/input"
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

// CanonicalUsername returns a user name in NFKC, as it is shown, and in the form in which it is compared and
// kept unique: names that differ in case, width or composition, or by letters of another script that look the
// same, have one such form. Marks that show nothing and white space around it are not part of a name, see
// [input.Trim]. It reports false unless the name has 5 to 20 letters, digits and underscores and is not a mere
// number. Letters that show nothing, such as the Hangul fillers, are refused. No name can be taken for a number
// or an address at sign-in.
//
// A name that mixes scripts is canonical as well, since an older version may have registered it.
func CanonicalUsername(s string) (shown, canonical string, ok bool) {
	name, problem := canonicalUsername(s)
	return name.shown, name.canonical, problem == ""
}

// parseUsername returns an empty problem for a name that a new account may have.
func parseUsername(s string) (username, Problem) {
	name, problem := canonicalUsername(s)
	if problem == "" && mixesScripts(name.shown) {
		return username{}, MixedScripts
	}
	if problem == "" && isNumber(name.canonical) { // of letters that look like digits
		return username{}, NotAllowed
	}
	return name, problem
}

func isNumber(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsNumber(r) })
}

// canonicalUsername returns an empty problem for a name that an account may have.
func canonicalUsername(s string) (username, Problem) {
	switch {
	case len(s) > maxUsernameBytes:
		return username{}, TooLong
	case !utf8.ValidString(s):
		return username{}, Malformed
	}
	shown := norm.NFKC.String(input.Trim(s))
	if shown == "" {
		return username{}, Missing
	}
	for _, r := range shown {
		if !usernameRune(r) {
			return username{}, Malformed
		}
	}
	switch length := utf8.RuneCountInString(shown); {
	case length < minUsername:
		return username{}, TooShort
	case length > maxUsername:
		return username{}, TooLong
	case isNumber(shown):
		return username{}, NotAllowed
	}
	return username{shown, lookAlike(shown)}, ""
}

func usernameRune(r rune) bool {
	return r == '_' || (unicode.IsLetter(r) || unicode.IsNumber(r)) &&
		!unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}

// lookAlike is the same for all names of one look. What a letter looks like can be a capital whose small letter looks like
// yet another one, so it goes on until nothing changes; the tables have no circle, and no chain of more than three.
func lookAlike(shown string) string {
	name := fold(shown)
	for range 8 {
		next := unconfuse(name)
		if next == name {
			break
		}
		name = next
	}
	return name
}

// unconfuse replaces every letter outside ASCII by the one that it looks like, as the skeleton of UTS 39 does,
// so that a Cyrillic name and a Latin name of one look are one name. ASCII stays as it is: the skeleton would
// take user1 and userl, or modern and modem, for the same name.
func unconfuse(folded string) string {
	if isASCII(folded) {
		return folded
	}
	var b strings.Builder
	for _, r := range norm.NFD.String(folded) {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
		} else {
			b.WriteString(confusables.Skeleton(string(r)))
		}
	}
	return fold(b.String())
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
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

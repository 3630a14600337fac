package accounts

import (
	"slices"
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

// maxUsernameBytes bounds what is normalised. Every acceptable name is much shorter, in any encoding.
const maxUsernameBytes = 512

// username is a valid user name: as it is shown, and as it is compared.
type username struct{ shown, canonical string }

// CanonicalUsername returns a user name in NFKC, as it is shown, and its canonical form, which is compared and kept
// unique: names that differ in case, width or composition, or by letters of another script that look the same, have
// the same canonical form. Invisible marks and white space around a name are not part of it, see [input.Trim]. It
// reports false unless the name has 5 to 20 letters, digits and underscores and is more than a number. Invisible
// letters, such as the Hangul fillers, are refused. No name can be confused with a number or an address at sign-in.
//
// A name that mixes scripts has a canonical form too, since an older version may have registered it.
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
	if problem == "" && isNumber(name.canonical) { // letters that look like digits
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

// lookAlike returns the same text for all names that look the same. A letter can look like a capital whose small letter
// looks like a third one, so it repeats until nothing changes. The tables have no cycle, and no chain of more than three.
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

// unconfuse replaces every letter outside ASCII by the one that it looks like, as the skeleton of UTS 39 does, so that a
// Cyrillic name and a Latin name that look the same are one name. It keeps ASCII: the skeleton would make user1 and
// userl, or modern and modem, the same name.
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

// fold returns the same text for texts that differ only in case or in compatible forms. Folding can undo the
// normalisation, so it normalises before and after. The caser keeps state, so each call makes a new one.
func fold(s string) string {
	return norm.NFKC.String(strings.Map(foldCherokee, cases.Fold().String(norm.NFKC.String(s))))
}

// foldCherokee corrects x/text, which folds Cherokee's capitals to small letters and the small ones to capitals: two
// names that differ only in case would stay different.
func foldCherokee(r rune) rune {
	if unicode.Is(unicode.Cherokee, r) {
		return unicode.ToUpper(r)
	}
	return r
}

// writtenTogether are the sets of scripts that one name may use, from the restriction level "highly restrictive" of UTS
// 39: Chinese, Japanese and Korean are written beside Latin letters.
var writtenTogether = [][]string{
	{"Latin", "Han", "Hiragana", "Katakana"},
	{"Latin", "Han", "Bopomofo"},
	{"Latin", "Han", "Hangul"},
}

// mixesScripts reports whether a name has letters of scripts that are not written together, or digits of several
// scripts. The purpose of such a name is to look like another one.
func mixesScripts(name string) bool {
	scripts, zeros := map[string]bool{}, map[rune]bool{}
	for _, r := range name {
		scripts[scriptOf(r)] = true
		zeros[zeroOf(r)] = true
	}
	delete(scripts, "")
	delete(zeros, 0)
	together := slices.ContainsFunc(writtenTogether, func(set []string) bool {
		for script := range scripts {
			if !slices.Contains(set, script) {
				return false
			}
		}
		return true
	})
	return len(zeros) > 1 || len(scripts) > 1 && !together
}

// scriptOf returns the script of a letter, or "" for a character that all scripts share, such as the underscore.
func scriptOf(r rune) string {
	switch { // first what is nearly always right: there are 170 scripts
	case unicode.Is(unicode.Latin, r):
		return "Latin"
	case unicode.In(r, unicode.Common, unicode.Inherited): // digits, the underscore
		return ""
	}
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return name
		}
	}
	return ""
}

// zeroOf returns the zero of the ten digits that r belongs to, or 0 if r is not a decimal digit. In Unicode,
// decimal digits are runs of ten that begin with a zero.
func zeroOf(r rune) rune {
	for _, run := range unicode.Nd.R16 {
		if lo := rune(run.Lo); r >= lo && r <= rune(run.Hi) {
			return lo + (r-lo)/10*10
		}
	}
	for _, run := range unicode.Nd.R32 {
		if lo := rune(run.Lo); r >= lo && r <= rune(run.Hi) { //nolint:gosec // code points fit
			return lo + (r-lo)/10*10
		}
	}
	return 0
}

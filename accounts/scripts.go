package accounts

import (
	"slices"
	"unicode"
)

// writtenTogether are the sets of scripts that one name may use, as the restriction level "highly restrictive" of
// UTS 39 has them: Chinese, Japanese and Korean are written beside Latin letters.
var writtenTogether = [][]string{
	{"Latin", "Han", "Hiragana", "Katakana"},
	{"Latin", "Han", "Bopomofo"},
	{"Latin", "Han", "Hangul"},
}

// mixesScripts reports whether a name has letters of scripts that are not written together, or digits of several
// scripts. Such a name is made to look like another one.
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

// scriptOf returns the script of a letter, or "" for what all scripts share, such as the underscore.
func scriptOf(r rune) string {
	if unicode.Is(unicode.Latin, r) { // nearly always
		return "Latin"
	}
	for name, table := range unicode.Scripts {
		if name != "Common" && name != "Inherited" && unicode.Is(table, r) {
			return name
		}
	}
	return ""
}

// zeroOf returns the zero of the ten digits that r belongs to, or 0 for what is no decimal digit. Unicode keeps
// decimal digits in runs of ten that begin with a zero.
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

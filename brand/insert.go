package brand

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Insert puts a name in the place of a mark, with [Space].
func Insert(text, mark, name string) string {
	return strings.ReplaceAll(Space(text, mark, name), mark, name)
}

// Space removes the spaces between Chinese characters and the mark of a name that is Chinese too. Chinese texts have spaces around
// Latin names only.
func Space(text, mark, name string) string {
	before, after := isHan(name)
	if before {
		text = withoutSpace(text, " "+mark, mark, true)
	}
	if after {
		text = withoutSpace(text, mark+" ", mark, false)
	}
	return text
}

// isHan reports whether a name begins and ends with a Chinese character.
func isHan(name string) (begins, ends bool) {
	first, _ := utf8.DecodeRuneInString(name)
	last, _ := utf8.DecodeLastRuneInString(name)
	return unicode.Is(unicode.Han, first), unicode.Is(unicode.Han, last)
}

// withoutSpace replaces spaced by mark where a Chinese character is on the other side of the space.
func withoutSpace(text, spaced, mark string, isBefore bool) string {
	parts := strings.Split(text, spaced)
	var out strings.Builder
	for i, part := range parts {
		if i > 0 {
			neighbour, _ := utf8.DecodeLastRuneInString(parts[i-1])
			if !isBefore {
				neighbour, _ = utf8.DecodeRuneInString(part)
			}
			if unicode.Is(unicode.Han, neighbour) {
				out.WriteString(mark)
			} else {
				out.WriteString(spaced)
			}
		}
		out.WriteString(part)
	}
	return out.String()
}

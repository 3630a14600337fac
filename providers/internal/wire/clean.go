package wire

import "strings"

// maxToken bounds what is kept of a vendor's codes and ids.
const maxToken = 64

// Code returns a vendor's code made safe to store and log: its letters, digits, dots, underscores and
// hyphens, 64 at most. It is empty when the code holds one of the private texts, because a vendor may
// well quote what it was sent.
func Code(code string, private ...string) string {
	code = keep(code, "._-")
	for _, p := range private {
		if p != "" && strings.Contains(code, keep(p, "._-")) {
			return ""
		}
	}
	return code
}

// ID returns a vendor's message id made safe to store and log: as [Code], and a caret, which Aliyun
// writes into its BizId.
func ID(id string) string { return keep(id, "._-^") }

func keep(text, punctuation string) string {
	var b strings.Builder
	for i := 0; i < len(text) && b.Len() < maxToken; i++ {
		c := text[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			strings.IndexByte(punctuation, c) >= 0 {
			b.WriteByte(c)
		}
	}
	return b.String()
}

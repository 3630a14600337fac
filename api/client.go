package api

import (
	"regexp"
	"slices"
	"strings"
)

// mark is a text in the User-Agent of a program.
type mark struct{ text, name string }

// The browsers and systems that people recognise, with a mark of their User-Agent. Browsers also contain the marks of those
// that they descend from, so the order matters.
var (
	browsers = []mark{
		{"MicroMessenger/", "WeChat"},
		{"DingTalk/", "DingTalk"},
		{"QQBrowser/", "QQ Browser"},
		{"UCBrowser/", "UC Browser"},
		{"EdgA/", "Edge"},
		{"EdgiOS/", "Edge"},
		{"Edg/", "Edge"},
		{"OPR/", "Opera"},
		{"SamsungBrowser/", "Samsung Internet"},
		{"MiuiBrowser/", "Mi Browser"},
		{"HuaweiBrowser/", "Huawei Browser"},
		{"FxiOS/", "Firefox"},
		{"Firefox/", "Firefox"},
		{"CriOS/", "Chrome"},
		{"Chrome/", "Chrome"},
		{"Safari/", "Safari"},
	}
	systems = []mark{
		{"HarmonyOS", "HarmonyOS"},
		{"OpenHarmony", "HarmonyOS"},
		{"Android", "Android"},
		{"iPhone", "iPhone"},
		{"iPad", "iPad"},
		{"Windows", "Windows"},
		{"Mac OS X", "macOS"},
		{"CrOS", "ChromeOS"},
		{"Linux", "Linux"},
	}
	// program matches the name of another program, such as curl/8.5.0.
	program = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9._-]{0,31})(/|$)`)
)

// clientOf describes a User-Agent so that the owner of a session recognises it: "Chrome, Windows". Of a header that a
// stranger can choose freely it keeps only the name of a program. It is empty when the client is unknown.
func clientOf(userAgent string) string {
	var known []string
	for _, list := range [][]mark{browsers, systems} {
		if i := slices.IndexFunc(list, func(m mark) bool { return strings.Contains(userAgent, m.text) }); i >= 0 {
			known = append(known, list[i].name)
		}
	}
	if len(known) > 0 {
		return strings.Join(known, ", ")
	}
	if found := program.FindStringSubmatch(userAgent); found != nil && found[1] != "Mozilla" {
		return found[1]
	}
	return ""
}

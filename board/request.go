package board

import (
	"maps"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/text/language"

	"usher/vitals"
)

// timeRange is a time that the page can look back.
type timeRange struct {
	Name string
	Long time.Duration
	Slot time.Duration
}

// ranges are the times to choose from; [usualRange] is the one that nobody has to choose.
func ranges() []timeRange {
	return []timeRange{
		{"15m", 15 * time.Minute, time.Minute},
		{"1h", time.Hour, time.Minute},
		{"24h", 24 * time.Hour, 15 * time.Minute},
	}
}

const usualRange = "1h"

// window ends with the slot that runs. Slots begin at full minutes, so that a bar stays the same bar; what is
// recent does not depend on the range.
func (r timeRange) window(now time.Time) vitals.Window {
	until := now.Truncate(r.Slot).Add(r.Slot)
	return vitals.Window{
		Since: until.Add(-r.Long), Until: until, Slot: r.Slot, Recent: now.Truncate(time.Minute).Add(time.Minute - vitals.Recent),
	}
}

// keep is how long what was learned about the range is shown again: a day is slower to read and to change.
func (r timeRange) keep() time.Duration { return max(5*time.Second, r.Long/1440) }

// request is what a viewer asked for.
type request struct {
	Range  timeRange
	Lang   string // zh or en
	Paused bool
	query  url.Values // what was chosen, to be kept by links
}

func readRequest(r *http.Request) request {
	query := r.URL.Query()
	asked := request{query: url.Values{}, Paused: query.Get("pause") != ""}
	for _, known := range ranges() {
		if known.Name == usualRange || known.Name == query.Get("range") {
			asked.Range = known
		}
		if known.Name == query.Get("range") {
			asked.query.Set("range", known.Name)
			break
		}
	}
	_, index := language.MatchStrings(matcher(), query.Get("lang"), r.Header.Get("Accept-Language"))
	asked.Lang = languages()[index].String()
	if lang := query.Get("lang"); lang == asked.Lang {
		asked.query.Set("lang", lang)
	}
	if asked.Paused {
		asked.query.Set("pause", "1")
	}
	return asked
}

// with is the address of the same page with something chosen otherwise; an empty value forgets it.
func (r request) with(name, value string) string {
	query := maps.Clone(r.query)
	query.Set(name, value)
	if value == "" {
		query.Del(name)
	}
	if len(query) == 0 {
		return Path
	}
	return Path + "?" + query.Encode()
}

// languages are those of the texts, the default first.
func languages() []language.Tag { return []language.Tag{language.Chinese, language.English} }

func matcher() language.Matcher { return language.NewMatcher(languages()) }

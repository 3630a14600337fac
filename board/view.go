package board

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/text/language"

	"usher/vitals"
	"usher/web/embedded"
)

// timeRange is a time span that the page can show.
type timeRange struct {
	Name string
	Long time.Duration
	Slot time.Duration // of one bar in a chart
}

// ranges are the time spans that a viewer can choose.
func ranges() []timeRange {
	return []timeRange{
		{"15m", 15 * time.Minute, time.Minute},
		{"1h", time.Hour, time.Minute},
		{"24h", 24 * time.Hour, 15 * time.Minute},
	}
}

const defaultRange = 1 // of these

// window ends with the current slot. Slots begin at full minutes, so that a bar does not change its minutes at the next
// reload. What is recent does not depend on the range.
func (r timeRange) window(now time.Time) vitals.Window {
	until := now.Truncate(r.Slot).Add(r.Slot)
	return vitals.Window{
		Since: until.Add(-r.Long), Until: until, Slot: r.Slot, Recent: now.Truncate(time.Minute).Add(time.Minute - vitals.Recent),
	}
}

// keep is how long facts of the range are cached: a day takes longer to read and changes more slowly.
func (r timeRange) keep() time.Duration { return max(5*time.Second, r.Long/1440) }

// request is what a viewer asked for.
type request struct {
	Range  timeRange
	Lang   string // zh or en
	Paused bool
	query  url.Values // what the viewer chose, without defaults: links keep it
}

// languages are those of the texts, the default first.
func languages() []language.Tag { return []language.Tag{language.Chinese, language.English} }

// readRequest ignores values that it does not know: a link of another version shows the page all the same.
func readRequest(r *http.Request) request {
	query := r.URL.Query()
	asked := request{query: url.Values{}, Paused: query.Get("pause") != ""}
	i := slices.IndexFunc(ranges(), func(r timeRange) bool { return r.Name == query.Get("range") })
	if i < 0 {
		i = defaultRange
	} else {
		asked.query.Set("range", query.Get("range"))
	}
	asked.Range = ranges()[i]
	_, index := language.MatchStrings(language.NewMatcher(languages()), query.Get("lang"), r.Header.Get("Accept-Language"))
	asked.Lang = languages()[index].String()
	if query.Get("lang") == asked.Lang {
		asked.query.Set("lang", asked.Lang)
	}
	if asked.Paused {
		asked.query.Set("pause", "1")
	}
	return asked
}

// With returns the address of the same page with one choice changed; an empty value removes it.
func (r request) With(name, value string) string {
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

// view is the input of the template: facts and texts in one language.
type view struct {
	printer
	request

	Facts   vitals.Facts
	assets  embedded.Assets
	traffic *vitals.Traffic // that of the facts; empty where it is not known
	watch   *vitals.Watch
}

// Verdict is what the page says first.
func (v view) Verdict() (Verdict, error) { return v.verdict() }

func (b *Board) view(asked request, facts vitals.Facts) view {
	v := view{printer: printer{b.texts[asked.Lang]}, request: asked, Facts: facts, assets: b.assets, traffic: facts.Traffic, watch: &b.watch}
	if v.traffic == nil {
		v.traffic = &vitals.Traffic{}
	}
	return v
}

// AssetURL is the address of the style or the icon.
func (v view) AssetURL(name string) string { return v.assets.URL(Path, name) }

// Ranges are the time spans to choose from.
func (view) Ranges() []timeRange { return ranges() }

// clock formats a time of day in the time zone of the server.
func (v view) clock(t time.Time) string { return t.In(v.Facts.At.Location()).Format("15:04") }

// ago is how long before the facts a time was.
func (v view) ago(t time.Time) string { return span(max(v.Facts.At.Sub(t), 0)) }

// tile is one figure of the whole range.
type tile struct {
	Name         string // the key of its text
	Value, Class string
	Note         phrase // empty without one
}

// Tiles are the figures of the whole range; none where the traffic is not known.
func (v view) Tiles() []tile {
	if v.Facts.Traffic == nil {
		return nil
	}
	sms, mail := v.traffic.SMS.Whole, v.traffic.Mail.Whole
	mailNote := timesNote(mail.Acceptance)
	if mail.Refused > 0 {
		mailNote = phrase{"tile.mails_note", []any{mail.Refused, mail.Waiting}}
	}
	tiles := []tile{
		{"tile.asked", grouped(sms.Asked), "", phrase{"tile.asked_note", []any{sms.Lost(), sms.Waiting}}},
		rateTile("tile.accepted", sms.AcceptedRate, sms.Ended(), timesNote(sms.Acceptance)),
		rateTile("tile.delivered", sms.DeliveredRate, sms.Reported(), timesNote(sms.Delivery)),
		rateTile("tile.used", sms.UsedRate, 0, phrase{"tile.used_note", []any{sms.Used, sms.Accepted}}),
		rateTile("tile.mails", mail.AcceptedRate, mail.Ended(), mailNote),
	}
	if budget := v.Facts.Budget; budget != nil {
		note := phrase{"tile.budget_note", []any{budget.Count}}
		if budget.Price > 0 {
			note = phrase{"tile.budget_yuan", []any{budget.Count, yuan(float64(budget.Left) * budget.Price)}}
		}
		tiles = append(tiles, tile{"tile.budget", grouped(budget.Left), "", note})
	}
	return tiles
}

func rateTile(name string, rate func() (vitals.Percent, bool), of int, note phrase) tile {
	c := rateCell(rate, 0, of)
	return tile{name, c.Text, c.Class, note}
}

func timesNote(times vitals.Times) phrase {
	p50, ok := times.Percentile(50)
	if !ok {
		return phrase{}
	}
	p95, _ := times.Percentile(95)
	return phrase{"tile.times", []any{p50, p95}}
}

// rateClass is the colour of a rate. A rate of fewer than 10 messages has none: one of them would change it too much.
func rateClass(p vitals.Percent, of int) string {
	switch {
	case of < 10 || p >= 95:
		return ""
	case p >= 80:
		return "amber"
	default:
		return "red"
	}
}

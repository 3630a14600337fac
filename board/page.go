package board

import (
	"time"

	"usher/vitals"
)

// view is what the template shows: facts in words, in one language.
type view struct {
	printer
	request

	Facts  vitals.Facts
	CSS    string
	Icon   string
	window vitals.Window
}

func (b *Board) view(asked request, facts vitals.Facts) view {
	v := view{
		printer: b.texts[asked.Lang], request: asked, Facts: facts,
		CSS: Path + "/" + b.version + "/board.css", Icon: Path + "/" + b.version + "/icon.svg",
	}
	if facts.Traffic != nil {
		v.window = facts.Traffic.Window
	}
	return v
}

// HTMLLang is the page's language as the lang attribute wants it.
func (v view) HTMLLang() string {
	if v.Lang == "zh" {
		return "zh-CN"
	}
	return v.Lang
}

// OtherLang is the language that the switch leads to.
func (v view) OtherLang() string {
	if v.Lang == "zh" {
		return "en"
	}
	return "zh-CN"
}

// OtherLangURL is this page in the other language.
func (v view) OtherLangURL() string { return v.with("lang", v.OtherLang()[:2]) }

// PauseURL stops the page from loading itself again, or lets it go on.
func (v view) PauseURL() string {
	if v.Paused {
		return v.with("pause", "")
	}
	return v.with("pause", "1")
}

// choice is a link to another range.
type choice struct {
	Text, URL string
	Current   bool
}

// Ranges are the times to choose from.
func (v view) Ranges() ([]choice, error) {
	var all []choice
	for _, r := range ranges() {
		text, err := v.T("range." + r.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, choice{text, v.with("range", r.Name), r.Name == v.Range.Name})
	}
	return all, nil
}

// At is when the facts were learned.
func (v view) At() string { return v.Facts.At.Format("15:04:05 MST") }

// AtMachine is the same for machines.
func (v view) AtMachine() string { return v.Facts.At.Format(time.RFC3339) }

// clock is a time of the day, in the zone of the server.
func (v view) clock(t time.Time) string { return t.In(v.Facts.At.Location()).Format("15:04") }

// slotName says which time a slot is.
func (v view) slotName(i int) string {
	if v.window.Slot > time.Minute {
		return v.clock(v.window.Start(i)) + "–" + v.clock(v.window.Start(i+1))
	}
	return v.clock(v.window.Start(i))
}

// ago is how long before the facts something was.
func (v view) ago(t time.Time) string { return span(max(v.Facts.At.Sub(t), 0)) }

// sentence is a finding in words.
type sentence struct {
	Level string
	Text  string
}

// Findings are what there is to say, the worst first.
func (v view) Findings() ([]sentence, error) {
	var all []sentence
	for _, finding := range v.Facts.Judge() {
		text, err := v.T("rule."+finding.Rule, finding.Args...)
		if err != nil {
			return nil, err
		}
		all = append(all, sentence{finding.Level.String(), text})
	}
	return all, nil
}

// Lacks tells whether a source did not answer.
func (v view) Lacks(source string) bool { return v.Facts.Lacks(vitals.Source(source)) }

// Missing names the sources that did not answer.
func (v view) Missing() ([]string, error) {
	var all []string
	for _, source := range v.Facts.Missing {
		text, err := v.T("source." + string(source))
		if err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, nil
}

// tile is one figure with what it is and what belongs to it.
type tile struct {
	Name, Value, Note string
	Class             string
}

// Tiles are the figures of the whole range.
func (v view) Tiles() ([]tile, error) {
	if v.Facts.Traffic == nil {
		return nil, nil
	}
	sms, mail := v.Facts.Traffic.SMS.Whole, v.Facts.Traffic.Mail.Whole
	w := &tileWriter{view: v}
	w.add("asked", v.Show(sms.Asked), "", "tile.asked_note", sms.Lost(), sms.Waiting)
	w.rate("accepted", sms.AcceptedRate, sms.Ended())
	w.note("tile.times", sms.Acceptance)
	w.rate("delivered", sms.DeliveredRate, sms.Reported())
	w.note("tile.times", sms.Delivery)
	w.rate("used", sms.UsedRate, 0)
	w.noteText("tile.used_note", sms.Used, sms.Accepted)
	w.rate("mails", mail.AcceptedRate, mail.Ended())
	if mail.Refused > 0 {
		w.noteText("tile.mails_note", mail.Refused, mail.Waiting)
	} else {
		w.note("tile.times", mail.Acceptance)
	}
	if budget := v.Facts.Budget; budget != nil {
		w.add("budget", v.Show(budget.Left), "", "tile.budget_note", budget.Count)
		if budget.Price > 0 {
			w.noteText("tile.budget_yuan", budget.Count, yuan(float64(budget.Left)*budget.Price))
		}
	}
	return w.tiles, w.err
}

// tileWriter keeps the first error.
type tileWriter struct {
	view  view
	tiles []tile
	err   error
}

func (w *tileWriter) text(key string, args ...any) string {
	text, err := w.view.T(key, args...)
	if w.err == nil {
		w.err = err
	}
	return text
}

func (w *tileWriter) add(name, value, class, noteKey string, args ...any) {
	t := tile{Name: w.text("tile." + name), Value: value, Class: class}
	if noteKey != "" {
		t.Note = w.text(noteKey, args...)
	}
	w.tiles = append(w.tiles, t)
}

func (w *tileWriter) rate(name string, rate func() (vitals.Percent, bool), of int) {
	p, ok := rate()
	if !ok {
		w.add(name, "–", "", "")
		return
	}
	w.add(name, percent(p), rateClass(p, of), "")
}

func (w *tileWriter) note(key string, times vitals.Times) {
	p50, ok := times.Percentile(50)
	if !ok {
		return
	}
	p95, _ := times.Percentile(95)
	w.noteText(key, p50, p95)
}

func (w *tileWriter) noteText(key string, args ...any) {
	w.tiles[len(w.tiles)-1].Note = w.text(key, args...)
}

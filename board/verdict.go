package board

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"usher/vitals"
)

// Sentence is a finding in the words of one language.
type Sentence struct {
	Level   string     `json:"level"` // green, amber or red
	Rule    string     `json:"rule"`
	About   string     `json:"about,omitempty"` // the provider, queue or endpoint
	Text    string     `json:"text"`            // what is wrong, since when, whom it hits
	Do      string     `json:"do,omitempty"`
	Since   *time.Time `json:"since,omitempty"`
	AtLeast bool       `json:"since_at_least,omitempty"` // it may have begun earlier
	Runbook string     `json:"runbook,omitempty"`        // the path of its page on the operations port
}

// Verdict is what [Path] answers with format=json: the sentences of the page.
type Verdict struct {
	At       time.Time       `json:"at"`
	Level    string          `json:"level"`
	Findings []Sentence      `json:"findings"` // the worst first; never empty
	Notes    []Sentence      `json:"notes,omitempty"`
	Missing  []vitals.Source `json:"missing,omitempty"` // sources that did not answer
}

// verdict puts the findings into words.
func (v view) verdict() (Verdict, error) {
	found := v.Facts.Judge()
	if v.watch != nil {
		found = v.watch.Date(v.Facts.At, found)
	}
	said := Verdict{At: v.Facts.At, Level: found[0].Level.String(), Missing: v.Facts.Missing}
	var err error
	if said.Findings, err = v.sentences(found); err != nil {
		return said, err
	}
	said.Notes, err = v.sentences(v.Facts.Notes())
	return said, err
}

func (v view) sentences(found []vitals.Finding) ([]Sentence, error) {
	var all []Sentence
	for _, f := range found {
		s, err := v.sentence(f)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// sentence is what is wrong, since when and whom it hits. A finding that tells of no problem is its text alone.
func (v view) sentence(f vitals.Finding) (Sentence, error) {
	s := Sentence{Level: f.Level.String(), Rule: f.Rule, About: f.About, AtLeast: f.AtLeast}
	what, err := v.T("rule."+f.Rule, f.Args...)
	if err != nil {
		return s, err
	}
	s.Text, s.Do = what, v.do(f)
	if f.Runbook != "" {
		s.Runbook = runbookPath(f.Runbook)
	}
	if f.Hit == "" {
		return s, nil
	}
	s.Since = &f.Since
	whom, err := v.T("hit."+f.Hit, f.HitArgs...)
	if err != nil {
		return s, err
	}
	s.Text, err = v.T("sentence", what, v.since(f), whom)
	return s, err
}

// do is what to do: the text of the rule, or of its topic where that has one.
func (v view) do(f vitals.Finding) string {
	for _, key := range []string{"do." + f.Topic, "fix." + f.Topic, "fix." + f.Rule} {
		if text := v.Texts[key]; text != "" && key != "do." && key != "fix." {
			return text
		}
	}
	return ""
}

// since is a time of day on the same day, else a date, and how long ago that is.
func (v view) since(f vitals.Finding) string {
	at, ago := f.Since.In(v.Facts.At.Location()), v.ago(f.Since)
	layout := "15:04"
	if v.Facts.At.Sub(f.Since) >= 20*time.Hour {
		layout = "2006-01-02 15:04"
	}
	key, args := "since", []any{at.Format(layout), ago}
	if f.AtLeast {
		key = "since.at_least"
	}
	if v.Facts.At.Sub(f.Since) < time.Second { // just seen
		key, args = map[bool]string{false: "since.now", true: "since.now_at_least"}[f.AtLeast], args[:1]
	}
	text, err := v.T(key, args...)
	if err != nil {
		return at.Format(layout)
	}
	return text
}

// Date looks at the facts and remembers since when something is wrong. The API calls it at intervals, so that the page can
// tell times that no viewer has seen.
func (b *Board) Date(ctx context.Context) {
	facts := b.facts(ctx, ranges()[0])
	b.watch.Date(facts.At, facts.Judge())
}

// serveVerdict answers with the sentences as JSON. The status is 200 whatever the verdict: it is not for health checks.
func (b *Board) serveVerdict(w http.ResponseWriter, v view) {
	said, err := v.verdict()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(said)
}

// todo is what to do about a finding, with the words of the link to its runbook.
type todo struct {
	Sentence
	Label string
}

// Todo is for the template.
func (v view) Todo(s Sentence) (todo, error) {
	label, err := v.T("runbook", s.Runbook[strings.LastIndexByte(s.Runbook, '/')+1:])
	return todo{s, label}, err
}

package rotation_test

import (
	"testing"
	"time"

	"usher/tokens/rotation"
)

var now = time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)

// ago is a time before now.
func ago(d time.Duration) time.Time { return now.Add(-d) }

func TestHistory_MaySign(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		history rotation.History
		want    time.Duration // from now
	}{
		"no history":                      {rotation.History{}, 0},
		"never published":                 {rotation.History{Began: ago(24 * time.Hour)}, time.Hour},
		"published just now":              {history(rotation.Use{Published: now}), time.Hour},
		"published for half an hour":      {history(rotation.Use{Published: ago(30 * time.Minute)}), 30 * time.Minute},
		"published for an hour":           {history(rotation.Use{Published: ago(time.Hour)}), 0},
		"one process did not publish it":  {history(rotation.Use{Published: ago(2 * time.Hour), Missing: ago(10 * time.Minute)}), 50 * time.Minute},
		"it was not published before":     {history(rotation.Use{Published: ago(2 * time.Hour), Missing: ago(3 * time.Hour)}), 0},
		"it signs already":                {history(rotation.Use{Published: ago(time.Minute), Signed: ago(time.Minute)}), 0},
		"it signed and was taken back":    {history(rotation.Use{Published: ago(9 * time.Hour), Signed: ago(8 * time.Hour), Missing: ago(time.Minute)}), 59 * time.Minute},
		"the clock of Redis is ahead":     {history(rotation.Use{Published: now.Add(time.Minute)}), 61 * time.Minute},
		"published by all for long, idle": {history(rotation.Use{Published: ago(100 * time.Hour)}), 0},
	} {
		var want time.Time
		if row.want > 0 {
			want = now.Add(row.want)
		}
		if got := row.history.MaySign("k", now); !got.Equal(want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func history(use rotation.Use) rotation.History {
	return rotation.History{Began: ago(240 * time.Hour), Keys: map[string]rotation.Use{"k": use}}
}

func TestHistory_MayDrop(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		history rotation.History
		want    time.Duration
	}{
		"no history":                 {rotation.History{}, 0},
		"unknown key":                {rotation.History{Began: ago(time.Minute)}, 0},
		"it signs":                   {history(rotation.Use{Signed: now}), 25 * time.Minute},
		"it signed ten minutes ago":  {history(rotation.Use{Signed: ago(10 * time.Minute)}), 15 * time.Minute},
		"it signed long ago":         {history(rotation.Use{Signed: ago(25 * time.Minute)}), 0},
		"it was only published":      {history(rotation.Use{Published: ago(time.Minute)}), 0},
		"the history began anew":     {rotation.History{Began: ago(5 * time.Minute), Keys: map[string]rotation.Use{"k": {Published: ago(5 * time.Minute)}}}, 20 * time.Minute},
		"the history is long enough": {rotation.History{Began: ago(25 * time.Minute), Keys: map[string]rotation.Use{"k": {}}}, 0},
	} {
		var want time.Time
		if row.want > 0 {
			want = now.Add(row.want)
		}
		if got := row.history.MayDrop("k", now); !got.Equal(want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

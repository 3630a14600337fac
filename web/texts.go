package web

import (
	"encoding/json"
	"fmt"
	"strings"
)

// The two languages of the pages. Everything that is not English is shown in Chinese.
const (
	chinese = "zh"
	english = "en"
)

// scriptTexts is the prefix of the texts that the script shows; they travel inside the page.
const scriptTexts = "js."

func loadTexts() (map[string]map[string]string, error) {
	all := make(map[string]map[string]string)
	for _, lang := range []string{chinese, english} {
		raw, err := files.ReadFile("texts/" + lang + ".json")
		if err != nil {
			return nil, fmt.Errorf("read texts: %w", err)
		}
		table := make(map[string]string)
		if err := json.Unmarshal(raw, &table); err != nil {
			return nil, fmt.Errorf("parse texts %s: %w", lang, err)
		}
		all[lang] = table
	}
	return all, nil
}

// T returns the text called key in the page's language, with args put in as [fmt.Sprintf] does. A
// missing key is an error, so that no page can ship with a hole in it.
func (v view) T(key string, args ...any) (string, error) {
	text, ok := v.texts[key]
	if !ok {
		return "", fmt.Errorf("no text %q in language %q", key, v.Lang)
	}
	if len(args) == 0 {
		return text, nil
	}
	return fmt.Sprintf(text, args...), nil
}

// ScriptTexts returns the texts of the script by their keys without prefix.
func (v view) ScriptTexts() map[string]string {
	texts := make(map[string]string)
	for key, text := range v.texts {
		if name, ok := strings.CutPrefix(key, scriptTexts); ok {
			texts[name] = text
		}
	}
	return texts
}

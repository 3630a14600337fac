// Package config reads the environment into typed settings and reports every mistake at once.
//
// A setting is a field with an env tag (its name without the USHER_ prefix), an optional envDefault and
// a desc, from which docs/configuration.md and .env.example are generated. An empty variable counts as
// unset. Secrets are of type [Secret], which prints masked; each may be in a file instead, whose path is in the variable
// with the suffix _FILE.
package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/caarlos0/env/v11"
)

// Prefix stands in front of every variable's name.
const Prefix = "USHER_"

// Mistake is one wrong setting.
type Mistake struct {
	Variable string // with its prefix
	Text     string // what is wrong and what is accepted; never the value of a secret
}

// Mistakes are all wrong settings of a process. It is never returned empty.
type Mistakes []Mistake

// Error lists the mistakes, one a line.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, mistake := range m {
		lines[i] = mistake.Variable + ": " + mistake.Text
	}
	return strings.Join(lines, "\n")
}

// Wrong is the error of one setting, whose variable is given without its prefix. It is nil when err is.
func Wrong(variable string, err error) error {
	if err == nil {
		return nil
	}
	return Mistakes{{Prefix + variable, err.Error()}}
}

// Validator is a struct of settings with rules that types cannot express. The variables that it returns have no prefix.
type Validator interface {
	Validate() Mistakes
}

// Environ turns os.Environ into a map.
func Environ(environ []string) map[string]string { return env.ToMap(environ) }

// Load fills the targets, pointers to structs, from the environment and from files of secrets, which every call reads
// again. The error is of type Mistakes, sorted by variable.
func Load(environ map[string]string, targets ...any) error {
	set := make(map[string]string, len(environ))
	for name, value := range environ {
		if value != "" {
			set[name] = value
		}
	}
	var mistakes Mistakes
	for _, target := range targets {
		mistakes = append(mistakes, load(maps.Clone(set), target)...)
	}
	return Join(mistakes)
}

// load fills one target from the set variables, to which it adds the secrets from files.
func load(set map[string]string, target any) Mistakes {
	files := readFiles(set, target)
	files = append(files, tidy(set, target)...)
	err := env.ParseWithOptions(target, env.Options{Prefix: Prefix, Environment: set})
	mistakes := parseMistakes(target, err)
	if v, ok := target.(Validator); ok && err == nil {
		for _, m := range v.Validate() {
			mistakes = append(mistakes, Mistake{Prefix + m.Variable, m.Text})
		}
	}
	return append(files, withoutThoseOf(files, mistakes)...)
}

// tidy removes what files, shells and editors add to values: a byte order mark, line ends after secrets, white space around
// all other values and around the entries of lists. A value of nothing else counts as unset. A line break inside a secret
// is a mistake: it could never match a header or a query.
func tidy(set map[string]string, target any) Mistakes {
	var mistakes Mistakes
	for _, v := range Table(target) {
		value := strings.TrimPrefix(set[v.Name], "\ufeff")
		switch {
		case v.Secret:
			value = betweenEntries.ReplaceAllString(strings.TrimRight(value, "\r\n"), ",")
			if strings.ContainsFunc(value, unicode.IsControl) {
				mistakes = append(mistakes, Mistake{v.Name, "has a line break or another control character in it"})
			}
		case v.Type == "list":
			value = tidyList(value)
		default:
			value = strings.TrimSpace(value)
		}
		if set[v.Name] = value; value == "" {
			delete(set, v.Name)
		}
	}
	return mistakes
}

// betweenEntries matches line breaks in a list of keys with one a line.
var betweenEntries = regexp.MustCompile(`,[ \t]*\r?\n[ \t]*`)

func tidyList(value string) string {
	var entries []string
	for entry := range strings.SplitSeq(value, ",") {
		if entry = strings.TrimSpace(entry); entry != "" {
			entries = append(entries, entry)
		}
	}
	return strings.Join(entries, ",")
}

// Join merges mistakes into one error: sorted, each once. An error of another type becomes a mistake of the variable
// "settings". It returns nil when all errors are nil.
func Join(errs ...error) error {
	var all Mistakes
	for _, err := range errs {
		var some Mistakes
		switch {
		case err == nil:
		case errors.As(err, &some):
			all = append(all, some...)
		default:
			all = append(all, Mistake{"settings", err.Error()})
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b Mistake) int { return strings.Compare(a.Variable, b.Variable) })
	return slices.Compact(all)
}

// parseMistakes turns the library's errors, which name Go fields and quote values, into ours.
func parseMistakes(target any, err error) Mistakes {
	if err == nil {
		return nil
	}
	var all env.AggregateError
	if !errors.As(err, &all) {
		return Mistakes{{"settings", err.Error()}}
	}
	var mistakes Mistakes
	for _, one := range all.Errors {
		var parse env.ParseError
		var unset env.VarIsNotSetError
		switch {
		case errors.As(one, &parse):
			mistakes = append(mistakes, Mistake{variableOf(target, parse.Name), "want " + wanted(parse.Type)})
		case errors.As(one, &unset):
			mistakes = append(mistakes, Mistake{unset.Key, "must be set"})
		default:
			mistakes = append(mistakes, Mistake{"settings", one.Error()})
		}
	}
	return mistakes
}

func variableOf(target any, field string) string {
	for _, v := range Table(target) {
		if v.field == field {
			return v.Name
		}
	}
	return field
}

func wanted(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 90s, 5m or 1h30m"
	case t == reflect.TypeFor[Yuan]():
		return "an amount such as 45 or 0.5, or off"
	case t == reflect.TypeFor[Prices]():
		return "a price such as 0.045, or prices by region such as CN=0.045,HK=0.30,*=0.60"
	case t == reflect.TypeFor[Namespace]():
		return "1 to 32 of a-z, 0-9 and -, and no - in front"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int:
		return "a whole number"
	default:
		return fmt.Sprintf("a value of type %s", t)
	}
}

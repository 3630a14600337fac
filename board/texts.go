package board

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"usher/vitals"
	"usher/web/embedded"
)

// printer has the texts of one language; a test compares their keys.
type printer struct{ embedded.Texts }

// phrase is a text by its key, with its arguments.
type phrase struct {
	Key  string
	Args []any
}

// T returns the text of a key with its arguments, which [printer.Show] formats.
func (p printer) T(key string, args ...any) (string, error) {
	shown := make([]any, len(args))
	for i, arg := range args {
		shown[i] = p.Show(arg)
	}
	return p.Texts.T(key, shown...)
}

// Say is T of a phrase; templates cannot pass a list of arguments.
func (p printer) Say(key string, args []any) (string, error) { return p.T(key, args...) }

// Or returns the text of prefix and name, or the name itself where there is none: a worker of a newer version may
// report states and reasons that this program does not know.
func (p printer) Or(prefix, name string) string {
	if text, ok := p.Texts[prefix+name]; ok {
		return text
	}
	return name
}

// Show formats numbers, rates and times for people.
func (p printer) Show(value any) string {
	switch v := value.(type) {
	case vitals.Reason:
		return p.Or("reason.", string(v))
	case vitals.Topic:
		return p.Or("topic.", string(v))
	case vitals.Causes:
		return p.causes(v)
	case int:
		return grouped(v)
	case vitals.Percent:
		return percent(v)
	case time.Duration:
		return span(v)
	default:
		return fmt.Sprint(v)
	}
}

// causes lists providers with the reason of each.
func (p printer) causes(all vitals.Causes) string {
	texts := make([]string, len(all))
	for i, c := range all {
		texts[i] = c.Provider
		switch {
		case c.Outage.Account:
			texts[i] += p.Texts["open"] + p.Or("topic.", string(vitals.TopicOf(c.Outage.Code))) + p.Texts["close"]
		case c.Outage.Reason != "":
			texts[i] += p.Texts["open"] + p.Or("reason.", c.Outage.Reason) + p.Texts["close"]
		}
	}
	return strings.Join(texts, p.Texts["comma"])
}

// space keeps a number and its unit on one line.
const space = "\u00a0"

// grouped formats a number with commas between thousands, as both languages do.
func grouped(n int) string { return message.NewPrinter(language.English).Sprintf("%d", n) }

// percent rounds to one decimal. It shows 100 % or 0 % only where that is exact: 9,999 of 10,000 is 99.9 %.
func percent(p vitals.Percent) string {
	rounded := math.Round(float64(p)*10) / 10
	if rounded == 100 && p < 100 {
		rounded = 99.9
	}
	if rounded == 0 && p > 0 {
		rounded = 0.1
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64) + space + "%"
}

// span formats a duration with about two digits: 120 ms, 1.3 s, 42 s, 5 min, 3 h, 2 d.
func span(d time.Duration) string {
	number := func(unit time.Duration, name string) string {
		n := float64(d) / float64(unit)
		decimals := 0
		if n < 10 && math.Round(n*10) != math.Round(n)*10 {
			decimals = 1
		}
		return strconv.FormatFloat(n, 'f', decimals, 64) + space + name
	}
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + space + "ms"
	case d < 100*time.Second:
		return number(time.Second, "s")
	case d < 100*time.Minute:
		return number(time.Minute, "min")
	case d < 48*time.Hour:
		return number(time.Hour, "h")
	default:
		return number(24*time.Hour, "d")
	}
}

// yuan formats an amount of money.
func yuan(amount float64) string { return message.NewPrinter(language.English).Sprintf("%.2f", amount) }

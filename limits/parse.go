package limits

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
)

// Bounds of a setting. A slot is a sixtieth of the period, and stores count in milliseconds. A period of more than a month would be
// a ban.
const (
	minPeriod = time.Second
	maxPeriod = 31 * 24 * time.Hour
	maxCount  = 1_000_000_000
)

// Parse applies "name=count/period,name=off" to the set and returns a new one; periods are written as 90s, 10m or 24h. A guard may
// have its percentage as a third part: "name=count/period/30%". The error lists all mistakes. Unless they are named themselves,
// [SMSBudgetUnknown] follows [SMSBudgetDay], and the limit of a network is five times that of its address.
func (s Set) Parse(setting string) (Set, error) {
	set := maps.Clone(s)
	if strings.TrimSpace(setting) == "" {
		return set, nil
	}
	var mistakes []error
	seen := map[Name]bool{}
	for entry := range strings.SplitSeq(setting, ",") {
		limit, err := parseEntry(strings.TrimSpace(entry), set)
		if err == nil && seen[limit.Name] {
			err = errors.New("is set twice")
		}
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("limit %q: %w", strings.TrimSpace(entry), err))
			continue
		}
		seen[limit.Name] = true
		set[limit.Name] = limit
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	if seen[SMSBudgetDay] && !seen[SMSBudgetUnknown] {
		set.followBudget()
	}
	for _, limit := range byAddress() {
		if seen[limit.Name] && !seen[limit.Name.Net()] {
			limit.Limit = set[limit.Name]
			set[limit.Name.Net()] = limit.net()
		}
	}
	return set, nil
}

// parseEntry reads one entry of a setting. What the entry leaves out comes from the known limit of that name.
func parseEntry(entry string, known Set) (Limit, error) {
	name, value, found := strings.Cut(entry, "=")
	if !found {
		return Limit{}, errors.New("want name=count/period or name=off")
	}
	limit, ok := known[Name(name)]
	if !ok {
		return Limit{}, errors.New("there is no limit with this name")
	}
	if value == "off" {
		limit.Count = 0
		return limit, nil
	}
	var err error
	if limit.Percent > 0 {
		if value, limit.Percent, err = cutPercent(value, limit.Percent); err != nil {
			return Limit{}, err
		}
	}
	count, period, found := strings.Cut(value, "/")
	if !found {
		return Limit{}, errors.New("want count/period or off")
	}
	if limit.Count, err = strconv.Atoi(count); err != nil || limit.Count < 1 || limit.Count > maxCount {
		return Limit{}, fmt.Errorf("want a count from 1 to %d", maxCount)
	}
	limit.Period, err = time.ParseDuration(period)
	if err != nil || limit.Period < minPeriod || limit.Period > maxPeriod || limit.Period%time.Millisecond != 0 {
		return Limit{}, fmt.Errorf("want a period from %v to %v, in whole milliseconds", minPeriod, maxPeriod)
	}
	return limit, nil
}

// cutPercent reads and removes the percentage of a guard, which is optional.
func cutPercent(value string, otherwise int) (rest string, percent int, err error) {
	text, found := strings.CutSuffix(value, "%")
	if !found {
		return value, otherwise, nil
	}
	slash := strings.LastIndexByte(text, '/')
	percent, err = strconv.Atoi(text[slash+1:])
	if slash < 0 || err != nil || percent < 1 || percent > 100 {
		return "", 0, errors.New("want count/period/percentage, such as 50/10m/30%")
	}
	return text[:slash], percent, nil
}

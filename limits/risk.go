package limits

// Risk is how much of the limits of SMS codes was used before a request, in percent. The zero value is a service at rest.
type Risk struct {
	Limits int // of the fullest limit of the client, of its network, and of all codes of the hour
	Prefix int // of the limit of the number's prefix
	Budget int // of the fullest budget of the day

	// Guarded means that the conversion guard throttles the number's prefix, because too few of its codes are entered.
	Guarded bool
}

// A share of a small limit jumps with each code. The smallest limits whose share counts are larger where the price of all
// clients follows it than where only that of one address does.
const (
	leastOfAddress = 10
	leastOfMany    = 20
)

// Note adds the used units of a limit. Limits that are off, too small, or not among those of codes add nothing.
func (r *Risk) Note(limit Limit, used int) {
	least, share := leastOfMany, &r.Limits
	switch limit.Name {
	case SMSIPHour, SMSIPDay:
		least = leastOfAddress
	case SMSIPHour.Net(), SMSIPDay.Net(), SMSTotal:
	case SMSPrefix:
		share = &r.Prefix
	case SMSBudgetDay, SMSBudgetUnknown:
		share = &r.Budget
	default:
		return
	}
	if limit.Count >= least {
		*share = max(*share, 100*min(used, limit.Count)/limit.Count)
	}
}

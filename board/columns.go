package board

// SlotColumns are the texts of the columns behind the time, as [view.Slots] fills them.
func (view) SlotColumns() []string {
	return []string{
		"col.asked", "col.accepted", "col.delivered", "col.undelivered", "col.used", "col.lost",
		"col.mails", "col.mails_accepted", "col.to_provider", "col.to_phone",
	}
}

// RateColumns are those of [view.Prefixes] behind the prefix.
func (view) RateColumns() []string {
	return []string{"col.asked", "col.accepted", "col.delivered", "col.undelivered", "col.used"}
}

// ProviderColumns are those of [view.Providers] behind the name.
func (v view) ProviderColumns() []string {
	return append(v.RateColumns(), "col.to_provider", "col.to_phone", "col.breaker")
}

// WorkerColumns are those of [view.Workers].
func (view) WorkerColumns() []string {
	return []string{"col.worker", "col.channels", "col.queues", "col.breaker", "col.since", "col.version"}
}

// QueueColumns are those of [view.Queues].
func (view) QueueColumns() []string {
	return []string{"col.queue", "col.pending", "col.oldest", "col.active", "col.scheduled", "col.retry", "col.archived"}
}

// DeadColumns are those of [view.Dead].
func (view) DeadColumns() []string {
	return []string{"col.count", "col.channel", "col.state", "col.why", "col.provider", "col.last"}
}

// LastColumns are those of [view.LastDead].
func (view) LastColumns() []string {
	return []string{"col.time", "col.channel", "col.to", "col.state", "col.why", "col.provider", "col.id"}
}

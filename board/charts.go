package board

import (
	"slices"

	"usher/vitals"
)

// Charts are what the page draws: codes, their times, and mails when there are any.
func (v view) Charts() []chart {
	if v.Facts.Traffic == nil {
		return nil
	}
	sms, mail := v.Facts.Traffic.SMS, v.Facts.Traffic.Mail
	return []chart{
		v.bars("codes", sms, "used", "delivered", "accepted", "waiting", "idle", "lost"),
		v.times("acceptance", sms, func(t vitals.Tally) vitals.Times { return t.Acceptance }),
		v.times("delivery", sms, func(t vitals.Tally) vitals.Times { return t.Delivery }),
		v.bars("mails", mail, "accepted", "waiting", "idle", "lost"),
		v.times("mail_acceptance", mail, func(t vitals.Tally) vitals.Times { return t.Acceptance }),
	}
}

// stageName is what a part of a bar is called in a chart: nobody reports on mails.
func (v view) stageName(chart, class string) string {
	if chart == "mails" && class == "accepted" {
		class = "mail_accepted"
	}
	return v.Or("stage.", class)
}

// slotRow is a slot in a table, for those who cannot see the charts or want its numbers.
type slotRow struct {
	Time  string
	Cells []cell
}

// Slots are the slots in which something was asked for, the newest first.
func (v view) Slots() []slotRow {
	if v.Facts.Traffic == nil {
		return nil
	}
	var rows []slotRow
	for i, sms := range slices.Backward(v.Facts.Traffic.SMS.Slots) {
		mail := v.Facts.Traffic.Mail.Slots[i]
		if sms.Asked+mail.Asked == 0 {
			continue
		}
		row := slotRow{Time: v.slotName(i)}
		for _, n := range []int{sms.Asked, sms.Accepted, sms.Delivered, sms.Undelivered, sms.Used, sms.Lost(), mail.Asked, mail.Accepted} {
			row.Cells = append(row.Cells, cell{Text: grouped(n)})
		}
		row.Cells = append(row.Cells, timesCell(sms.Acceptance), timesCell(sms.Delivery))
		rows = append(rows, row)
	}
	return rows
}

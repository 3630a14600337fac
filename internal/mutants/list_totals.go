package main

// totalMutants are the guards of what strangers may do with many addresses, numbers and mailboxes.
func totalMutants() []mutant {
	return []mutant{
		{
			name: "network-limit", without: "a customer with a /48 has as many allowances as addresses",
			edits: []edit{
				{"limits/address.go", "\t\t\tSpend{Limit: s[name.Net()], Subject: network},\n", ""},
			},
			pkg: "api", tests: []string{"TestLimits_by_address_bound_a_network"},
		},
		{
			name: "total-limit", without: "a botnet registers, looks up and signs in without end",
			edits: []edit{
				{"limits/address.go", ",\n\t\t\tSpend{Limit: s[name.All()], Subject: Everybody})", ")"},
			},
			pkg: "api", tests: []string{"TestLimits_by_address_bound_everybody"},
		},
		{
			name: "mailbox-fold", without: "each spelling of a mailbox gets mails of its own",
			edits: []edit{
				{"api/gate.go", "s.Limits[limits.ResendPause], Subject: email.Mailbox()", "s.Limits[limits.ResendPause], Subject: email.Reveal()"},
				{"api/gate.go", "s.Limits[limits.ResendEmail], Subject: email.Mailbox()", "s.Limits[limits.ResendEmail], Subject: email.Reveal()"},
				{"api/gate.go", "\"asked for \" + email.Mailbox()", "\"asked for \" + email.Reveal()"},
			},
			pkg: "api", tests: []string{"TestMails_to_one_mailbox_are_counted_together"},
		},
		{
			name: "budget-default", without: "nothing bounds the bill unless an operator sets a budget",
			edits: []edit{
				{"app/front/api.go", "WithBudget(float64(s.Config.SMSBudgetYuan), s.Config.SMSPriceYuan)", "WithBudget(0*float64(s.Config.SMSBudgetYuan), s.Config.SMSPriceYuan)"},
			},
			pkg: "app", tests: []string{"TestBudget_is_on_by_default_and_warned_of_when_it_is_off"},
		},
		{
			name: "budget-unknown", without: "a botnet spends the whole budget",
			edits: []edit{
				{"api/gate.go", "Subject: limits.Everybody},\n\t\tlimits.Spend{Limit: s.Limits[limits.SMSBudgetUnknown], Subject: limits.Everybody})", "Subject: limits.Everybody})"},
			},
			pkg: "api", tests: []string{"TestBill_of_a_botnet_is_the_stated_one"},
		},
		{
			name: "shared-limits", without: "strangers use up what owners need",
			edits: []edit{
				{"api/gate.go", "knownErr != nil || !known", "knownErr != nil || !known || known"},
			},
			pkg: "api", tests: []string{"TestPrefix_that_strangers_stopped_serves_its_owners"},
		},
		{
			name: "guard-history", without: "a bad day is forgotten after ten minutes",
			edits: []edit{
				{"store/redisstore/scripts/window.lua", "local isGood = history.units < count or", "local isGood = sent < count or"},
			},
			pkg: "store/redisstore", tests: []string{"TestConversion"},
		},
		{
			name: "code-wrong-all", without: "a million codes are guessed at five times each",
			edits: []edit{
				{"store/redisstore/codes.go", "\tif !decision.Allowed() {\n\t\treturn verify.Pending{}, verify.ErrAttempts\n\t}\n", "\t_ = decision\n"},
			},
			pkg: "store/redisstore", tests: []string{"TestCodes"},
		},
		{
			name: "mail-of-registration", without: "registrations send any number of mails to one mailbox",
			edits: []edit{
				{"api/accounts.go", "s.mailSpends(email)", "s.mailSpends(email)[:0]"},
			},
			pkg: "api", tests: []string{"TestMails_are_bounded_whatever_causes_them"},
		},
		{
			name: "mail-unsent", without: "resends to made-up addresses use up the mails of a domain",
			edits: []edit{
				{"api/activation.go", "s.spend(c, s.askSpends(c, email))", "s.spend(c, append(s.askSpends(c, email), s.mailSpends(email)...))"},
			},
			pkg: "api", tests: []string{"TestMails_that_are_not_sent_cost_nobody_else"},
		},
	}
}

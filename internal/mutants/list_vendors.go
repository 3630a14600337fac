package main

// vendorMutants are about vendors and mail servers that fail, and about what operators do meanwhile.
func vendorMutants() []mutant {
	return []mutant{
		{
			name: "mail-note", without: "after an older dump was restored mails go out twice",
			edits: []edit{
				{"store/redisstore/scripts/mail_note.lua", "then return 0 end", "then return 1 end"},
			},
			pkg: "tasks", tests: []string{"TestEmailHandler_sends_nothing_twice_when_an_older_database_comes_back"},
		},
		{
			name: "probe", without: "people's messages try a vendor that was spared",
			edits: []edit{
				{"providers/router_line.go", "if l.prober != nil && l.resting() {", "if false {"},
			},
			pkg: "providers", tests: []string{"TestRouter_tries_a_provider_that_was_spared_without_a_message"},
		},
		{
			name: "mail-crowd", without: "a crowd of mails makes a wrong login each, which locks the mailbox",
			edits: []edit{
				{"providers/smtp/pool.go", "	if p.failures == began {\n		shared = nil\n	}\n", "	shared = nil\n"},
			},
			pkg: "providers/smtp", tests: []string{"TestClient_logsInOnceForACrowd"},
		},
		{
			name: "mail-stranger", without: "a stranger's address that the mail server refuses opens the breaker for everybody",
			edits: []edit{
				{"providers/email_breaker.go", "return kind == RateLimited || kind == Rejected || ", "return kind == RateLimited || "},
				{"reasons/list.go", "{RecipientUnknown, None,", "{RecipientUnknown, Counts,"},
			},
			pkg: "providers", tests: []string{"TestEmailBreaker_one_mail_is_no_outage"},
		},
		{
			name: "mail-buried", without: "a mail whose task an operator archived is never sent",
			edits: []edit{
				{"tasks/relay.go", "if err == nil && existed {", "if err != nil && existed {"},
			},
			pkg: "tasks", tests: []string{"TestRelay_runs_an_archived_task_of_a_mail_that_waits"},
		},
	}
}

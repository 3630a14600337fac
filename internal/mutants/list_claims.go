package main

// claimMutants are about messages: each sent once, in time, by one worker.
func claimMutants() []mutant {
	return []mutant{
		{
			name: "claim-of-code", without: "two workers send one code",
			edits: []edit{
				{
					"store/redisstore/scripts/code_claim.lua",
					"  if code[6] ~= ARGV[4] then return {'busy', tonumber(code[7]), lease} end\n",
					"",
				},
			},
			pkg: "store/redisstore", tests: []string{"TestCodes"},
		},
		{
			name: "claim-of-mail", without: "two workers send one mail",
			edits: []edit{
				{
					"store/sqlstore/mails.go",
					"(state = 'queued' or state = 'sending' and lease_until <= ?)",
					"(state in ('queued', 'sending') or lease_until <= ?)",
				},
			},
			pkg: "store/sqlstore", tests: []string{"TestStores_keep_the_promises/.*/Mails"},
		},
		{
			name: "claim-of-dead-code", without: "a code that nobody can enter any more is sent",
			edits: []edit{
				{
					"store/redisstore/scripts/code_claim.lua",
					"if tonumber(code[4]) <= now then return drop('expired') end\n",
					"",
				},
			},
			pkg: "store/redisstore", tests: []string{"TestCodes"},
		},
		{
			name: "claim-of-old-code", without: "a code that was replaced is sent",
			edits: []edit{
				{
					"store/redisstore/scripts/code_claim.lua",
					"if code[1] then return drop('superseded') end\n",
					"",
				},
			},
			pkg: "store/redisstore", tests: []string{"TestCodes"},
		},
		{
			name: "lease-end", without: "a worker that stood still sends what another sends as well",
			edits: []edit{
				{"tasks/claim.go", "claim.LeaseUntil.Add(-leaseMargin))", "claim.LeaseUntil.Add(leaseMargin * 100))"},
			},
			pkg: "tasks", tests: []string{
				"TestHandlers_call_no_provider_when_the_process_stood_still_after_its_claim",
				"TestHandlers_give_a_provider_no_longer_than_the_claim_lasts",
			},
		},
		{
			name: "outcome-of-claim", without: "the outcome of an old claim replaces that of a newer one",
			edits: []edit{
				{"store/redisstore/scripts/code_record.lua", "if code[1] ~= ARGV[1] then return 0 end\n", ""},
			},
			pkg: "store/redisstore", tests: []string{"TestCodes"},
		},
		{
			name: "doubtful-twice", without: "what may have been sent twice is sent again",
			edits: []edit{
				{"tasks/email.go", "if mail.Doubts >= mostSends {", "if mail.Doubts >= 1000*mostSends {"},
			},
			pkg: "tasks", tests: []string{"TestHandlers_send_a_message_of_unknown_fate_twice_at_most_and_the_same"},
		},
		{
			name: "skip-locked", without: "one relay waits for the other",
			edits: []edit{
				{"store/sqlstore/dialect.go", `return "for update skip locked"`, `return "for update"`},
			},
			pkg: "store/sqlstore", tests: []string{"TestMails_Due_passes_over_rows_that_another_relay_holds"},
		},
	}
}

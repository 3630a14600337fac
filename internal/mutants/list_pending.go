package main

// pendingMutants are the guards of addresses that wait for their proof.
func pendingMutants() []mutant {
	return []mutant{
		{
			name: "declined", without: "an address is written to although its owner has declined it",
			edits: []edit{
				{"accounts/decline.go", "if wait := until.Sub(s.Now()); wait > 0 {", "if wait := until.Sub(s.Now()); wait > 0 && email.IsZero() {"},
			},
			pkg: "accounts", tests: []string{"TestDecline_frees_the_address_and_keeps_mails_away"},
		},
		{
			name: "proof-wins", without: "accounts keep waiting for an address that another one has proved",
			edits: []edit{
				{"accounts/activation.go", "\t\ts.release(ctx, token.Address)\n", "\t\t_ = s.release\n"},
			},
			pkg: "accounts", tests: []string{"TestActivate_lets_the_first_proof_win"},
		},
		{
			name: "unproved-imported", without: "the name of an imported account is taken although its owner was not asked for a proof",
			edits: []edit{
				{"accounts/decline.go", "account.Waiting() && !account.PendingEmailAt.IsZero() &&", "account.Waiting() &&"},
			},
			pkg: "accounts", tests: []string{"TestRegister_leaves_names_that_do_not_run_out"},
		},
		{
			name: "unproved-in-use", without: "an account in use is deleted with an address that it did not prove",
			edits: []edit{
				{"store/sqlstore/pending.go", "\tisWaiting = \"not active and mobile_key is null and email_key is null and", "\tisWaiting = \"mobile_key is null and email_key is null and"},
			},
			pkg: "store/sqlstore", tests: []string{"TestStores_keep_the_promises/.*/Pending"},
		},
		{
			name: "mail-asked", without: "a stranger who asks for nothing keeps a mailbox from its owner's mails",
			edits: []edit{
				{"api/gate.go", "Subject: \"asked for \" + email.Mailbox()", "Subject: email.Mailbox()"},
			},
			pkg: "api", tests: []string{"TestMails_that_strangers_ask_for_keep_no_owner_from_theirs"},
		},
		{
			name: "resend-alike", without: "the answer tells whether an address has an account",
			edits: []edit{
				{
					"accounts/activation.go",
					"if errors.Is(err, ErrNotFound) {\n\t\treturn nil\n\t}\n\tif err == nil {",
					"if err == nil {",
				},
			},
			pkg: "accounts", tests: []string{"TestResendActivation_answers_alike"},
		},
	}
}

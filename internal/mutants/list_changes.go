package main

// changeMutants are about changes of an account that are undone, and numbers that pass to another person.
func changeMutants() []mutant {
	return []mutant{
		{
			name: "reset-by-a-new-number", without: "an intruder's number resets the password a minute after it came",
			edits: []edit{
				{"accounts/reset.go", "if !settled(account.MobileChangedAt, s.Now()) {", "if !settled(account.MobileChangedAt, s.Now()) && account.ID == \"\" {"},
			},
			pkg: "accounts", tests: []string{"TestResetPassword_needs_a_number_that_was_not_changed_lately"},
		},
		{
			name: "undo-by-a-new-address", without: "an intruder's address undoes what the owner puts right",
			edits: []edit{
				{"accounts/change.go", "if to == account.Email && settled(account.EmailChangedAt, change.At) {", "if to == account.Email {"},
			},
			pkg: "accounts", tests: []string{"TestUndo_power_is_with_settled_contacts"},
		},
		{
			name: "undo-by-a-new-number", without: "an intruder's number undoes what the owner puts right",
			edits: []edit{
				{"accounts/undo.go", " || !settled(change.Before.MobileChangedAt, change.At)", ""},
			},
			pkg: "accounts", tests: []string{"TestUndo_power_is_with_settled_contacts"},
		},
		{
			name: "undo-link-kind", without: "a link of one kind passes for another",
			edits: []edit{
				{"accounts/undo.go", "case err != nil || token.Kind != undoTokenKind:", "case err != nil:"},
			},
			pkg: "accounts", tests: []string{"TestUndoChange_refuses_links"},
		},
		{
			name: "undo-once", without: "a link undoes again and again",
			edits: []edit{
				{
					"store/sqlstore/account_changes.go",
					"delete from account_changes where account_id = ? and changed_at >= ?",
					"delete from account_changes where account_id = ? and changed_at > ?",
				},
			},
			pkg: "store/sqlstore", tests: []string{"TestStores_keep_the_promises/.*/Undos"},
		},
		{
			name: "undo-end", without: "a change can be undone for ever",
			edits: []edit{
				{
					"store/sqlstore/account_changes.go",
					"where id = ? and account_id = ? and ends_at > ?`",
					"where id = ? and account_id = ? and (ends_at > ? or true)`",
				},
			},
			pkg: "store/sqlstore", tests: []string{"TestStores_keep_the_promises/.*/Undos"},
		},
		{
			name: "number-recheck", without: "a code opens the account of the person who had the number before",
			edits: []edit{
				{"accounts/number.go", "if err != nil || held && !s.outOfSight(holder) {", "if err != nil || held {"},
			},
			pkg: "accounts", tests: []string{"TestSignInByCode_of_an_account_not_seen_for_long"},
		},
		{
			name: "claim-given-up", without: "a number that a person has given up comes back to the account and opens it",
			edits: []edit{
				{"store/sqlstore/accounts_change.go", " + clearClaim + \", \" + endSessions", " + endSessions"},
			},
			pkg: "store/sqlstore", tests: []string{"TestStores_keep_the_promises/.*/Claims"},
		},
		{
			name: "claim-answered", without: "a number leaves an account that is in use again",
			edits: []edit{
				{"store/sqlstore/claims.go", "claimer, err := a.endClaims(ctx, tx, key)", "claimer, err := a.endClaims(ctx, tx, nil)"},
			},
			pkg: "store/sqlstore", tests: []string{"TestStores_keep_the_promises/.*/Claims"},
		},
	}
}

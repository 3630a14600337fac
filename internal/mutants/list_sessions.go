package main

// sessionMutants are about signing in.
func sessionMutants() []mutant {
	return []mutant{
		{
			name: "sign-in-captcha", without: "passwords are guessed by machines",
			edits: []edit{
				{
					"api/slowdown.go",
					"if s.Captcha.Enabled() && body.CaptchaID == \"\" {",
					"if s.Captcha.Enabled() && c == nil {",
				},
			},
			pkg: "api", tests: []string{"TestSignIn_demands_a_captcha_after_three_failures"},
		},
		{
			name: "known-by-kind", without: "a user name that is compared as a number makes its network known to that number",
			edits: []edit{
				{"api/sessions.go", "return \"username \" + canonical", "return \"mobile \" + canonical"},
			},
			pkg: "api", tests: []string{"TestStrangers_are_not_known_by_a_name_that_looks_like_a_number"},
		},
		{
			name: "session-new-token", without: "a token that was planted before the sign-in is signed in",
			edits: []edit{
				{"api/session.go", "if err := s.sessions.RenewToken(ctx); err != nil {\n\t\treturn err\n\t}\n", ""},
			},
			pkg: "api", tests: []string{"TestSession_has_a_new_token_after_each_sign_in"},
		},
		{
			name: "session-of-old-password", without: "whoever stole a session keeps it after the password was reset",
			edits: []edit{
				{
					"api/session.go",
					"if !account.Active || account.SessionGeneration != generation {",
					"if !account.Active {",
				},
			},
			pkg: "api", tests: []string{"TestJourney_sign_in_by_code_then_reset_ends_sessions"},
		},
		{
			name: "session-generation", without: "the same, in SQL",
			edits: []edit{
				{
					"store/sqlstore/accounts_change.go",
					"const endSessions = \"session_generation = session_generation + 1\"",
					"const endSessions = \"session_generation = session_generation\"",
				},
			},
			pkg: "store/sqlstore", tests: []string{"TestStores_keep_the_promises/.*/Changes"},
		},
		{
			name: "spent-session", without: "a session that was signed out lives again after a failover of Redis",
			edits: []edit{
				{"store/sqlstore/spent.go", "where spent.id = ?)`", "where spent.id = ? and false)`"},
			},
			pkg: "api", tests: []string{"TestSpent_stays_spent_when_Redis_comes_back_as_it_was_before"},
		},
		{
			name: "spent-code", without: "a code that was used works again after a failover of Redis",
			edits: []edit{
				{"verify/service.go", "if !first {\n\t\treturn ErrUsed", "if !first && s.Uses == nil {\n\t\treturn ErrUsed"},
			},
			pkg: "api", tests: []string{"TestSpent_stays_spent_when_Redis_comes_back_as_it_was_before"},
		},
	}
}

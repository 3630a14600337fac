package main

// linkMutants are the guards of links that prove an address.
func linkMutants() []mutant {
	return []mutant{
		{
			name: "link-signature", without: "anybody makes links",
			edits: []edit{
				{
					"secrets/token.go",
					"if err != nil || !hmac.Equal(given, sub.token.sum(signed)) {",
					"if err != nil || !hmac.Equal(given, sub.token.sum(signed)) && len(given) == 0 {",
				},
			},
			pkg: "secrets", tests: []string{"TestKeys_ParseToken"},
		},
		{
			name: "link-generation", without: "a link works after another was asked for",
			edits: []edit{
				{
					"store/sqlstore/accounts.go",
					"where id = ? and activation_generation = ? and pending_email_key is not null",
					"where id = ? and (activation_generation = ? or true) and pending_email_key is not null",
				},
			},
			pkg: "store/sqlstore", tests: []string{"TestStores_keep_the_promises/.*/Accounts"},
		},
		{
			name: "link-address", without: "a link proves an address that it did not go to",
			edits: []edit{
				{"accounts/activation.go", "return !email.IsZero() && s.Keys.Index(indexEmail, email.Reveal()) == token.Address", "return !email.IsZero()"},
			},
			pkg: "accounts", tests: []string{"TestActivate_refuses_what_was_not_made_for_this_address"},
		},
		{
			name: "link-alone", without: "the reader of a mail opens an account with a password that a stranger chose",
			edits: []edit{
				{"accounts/activation.go", "case r.Session == account.ID:", "case r.Session == account.ID || account.Waiting():"},
			},
			pkg: "accounts", tests: []string{"TestActivate_outside_the_session_of_the_registration_takes_a_new_password"},
		},
		{
			name: "link-owner", without: "a link proves an address for an account that its reader does not own",
			edits: []edit{
				{"accounts/activation.go", "return \"\", ErrLinkAlone", "return \"\", nil"},
			},
			pkg: "accounts", tests: []string{"TestActivate_of_an_account_in_use_needs_its_owner"},
		},
		{
			name: "link-kind", without: "the link that declines an address proves it",
			edits: []edit{
				{"accounts/activation.go", "if err != nil && !expired || token.Kind != \"\" {", "if err != nil && !expired {"},
			},
			pkg: "accounts", tests: []string{"TestDecline_takes_its_own_links_only"},
		},
		{
			name: "link-guesses", without: "the reader of a mail guesses the password of an account as often as they like",
			edits: []edit{
				{"api/activation.go", "append(s.byAddress(c, limits.ActivateIP), tries...)", "s.byAddress(c, limits.ActivateIP)"},
			},
			pkg: "api", tests: []string{"TestAttack_passwords_cannot_be_guessed_beside_a_link"},
		},
	}
}

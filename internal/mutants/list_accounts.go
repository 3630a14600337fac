package main

// accountMutants are about who has an account, and whose it is.
func accountMutants() []mutant {
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
			name: "unproved-imported", without: "the name of an imported account is taken although nobody was asked for a proof",
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
			name: "resend-alike", without: "the answer tells whether an address has an account",
			edits: []edit{
				{
					"accounts/activation.go",
					"if errors.Is(err, ErrNotFound) {\n\t\treturn nil\n\t}\n\tif err != nil {\n\t\treturn err\n\t}\n\treturn s.renew(",
					"if err != nil {\n\t\treturn err\n\t}\n\treturn s.renew(",
				},
			},
			pkg: "accounts", tests: []string{"TestResendActivation_answers_alike"},
		},
		{
			name: "username-twins", without: "two accounts have names that look alike",
			edits: []edit{
				{
					"accounts/username.go",
					"return norm.NFKC.String(strings.Map(foldCherokee, cases.Fold().String(norm.NFKC.String(s))))",
					"_ = cases.Fold\n\treturn norm.NFKC.String(strings.Map(func(r rune) rune { return r }, s))",
				},
			},
			pkg: "accounts", tests: []string{"TestCanonicalUsername"},
		},
		{
			name: "username-look", without: "a Cyrillic name passes beside the Latin one that it looks like",
			edits: []edit{
				{"accounts/username.go", "return username{shown, unconfuse(fold(shown))}, \"\"", "_ = unconfuse\n\treturn username{shown, fold(shown)}, \"\""},
			},
			pkg: "accounts", tests: []string{"TestUsername_impostors"},
		},
		{
			name: "username-scripts", without: "a name mixes letters that look alike",
			edits: []edit{
				{"accounts/username.go", "if problem == \"\" && mixesScripts(name.shown) {", "_ = mixesScripts\n\tif false {"},
			},
			pkg: "accounts", tests: []string{"TestUsername_scripts"},
		},
		{
			name: "username-unique", without: "two requests at once make two accounts of one name",
			edits: []edit{
				{
					"store/sqlstore/migrations/0001_accounts.sql",
					"    constraint accounts_username unique (username_key),\n",
					"",
				},
			},
			pkg: "store/sqlstore", tests: []string{"TestStores_keep_the_promises/.*/Accounts"},
		},
		{
			name: "refusal-floor", without: "the time of a refusal tells imported accounts",
			edits: []edit{
				{"accounts/hasher.go", "\th.awaitFloor(ctx, took)\n", ""},
			},
			pkg: "accounts", tests: []string{"TestCompare_refuses_every_kind_of_hash_after_the_same_time"},
		},
	}
}

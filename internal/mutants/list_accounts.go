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
	}
}

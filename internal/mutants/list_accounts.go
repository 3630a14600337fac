package main

// accountMutants are about who has an account, and whose it is.
func accountMutants() []mutant {
	return []mutant{
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
				{"accounts/username.go", "return username{shown, lookAlike(shown)}, \"\"", "_ = lookAlike\n\treturn username{shown, fold(shown)}, \"\""},
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

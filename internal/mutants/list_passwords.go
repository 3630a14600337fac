package main

// passwordMutants are the guards of what passwords cost, and of what their time tells.
func passwordMutants() []mutant {
	return []mutant{
		{
			name: "password-slots", without: "so many passwords as arrive are hashed at once",
			edits: []edit{
				{"passwords/hasher.go", "w, err := h.slots.acquire(ctx, priority)", "w, err := &worker{}, ctx.Err()"},
				{"passwords/hasher.go", "\tdefer h.slots.release(w)\n", ""},
			},
			pkg: "passwords", tests: []string{"TestHasher_waits_a_second_for_a_slot"},
		},
		{
			name: "password-priority", without: "a crowd of strangers keeps people from signing in",
			edits: []edit{
				{"passwords/slots.go", "s.waiting[priority] = append(", "priority = Later\n\ts.waiting[priority] = append("},
			},
			pkg: "passwords", tests: []string{"TestHasher_serves_the_proved_in_time_despite_a_crowd"},
		},
		{
			name: "code-before-hash", without: "a made-up code costs a hash and tells who has an account",
			edits: []edit{
				{
					"accounts/register.go",
					"\tif a.mobile.IsZero() {\n\t\treturn s.create(ctx, a, passwords.Later)\n\t}\n",
					"\tif a.mobile.IsZero() {\n\t\treturn s.create(ctx, a, passwords.Later)\n\t}\n\tif err := s.refuseTaken(ctx, a); err != nil {\n\t\treturn Account{}, err\n\t}\n",
				},
			},
			pkg: "accounts", tests: []string{"TestRegister_asks_for_the_code_before_anything_else"},
		},
		{
			name: "unknown-login-hashes", without: "the time of a sign-in tells whether there is an account",
			edits: []edit{
				{"passwords/hasher.go", "\t\thash = h.dummy\n", "\t\treturn false, nil\n"},
			},
			pkg: "passwords", tests: []string{"TestHasher_works_as_hard_for_accounts_that_do_not_exist"},
		},
		{
			name: "refusal-floor", without: "the time of a refusal tells imported accounts",
			edits: []edit{
				{"passwords/hasher.go", "\th.awaitFloor(ctx, took)\n", ""},
			},
			pkg: "passwords", tests: []string{"TestCompare_refuses_every_kind_of_hash_after_the_same_time"},
		},
	}
}

package main

// rememberedMutants are the guards of what strangers can make Redis remember.
func rememberedMutants() []mutant {
	return []mutant{
		{
			name: "undo-made-up", without: "made-up links fill Redis",
			edits: []edit{
				{"api/undo.go", "if body.Token != \"\" && s.Accounts", "if body.Token == \"\" && s.Accounts"},
			},
			pkg: "api", tests: []string{"TestMemory_made_up_ids_and_links_leave_nothing"},
		},
		{
			name: "networks-of-a-name", without: "an account fills Redis with the networks it signs in from",
			edits: []edit{
				{"store/redisstore/scripts/known_note.lua", "redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[4]))\n", ""},
			},
			pkg: "store/redisstore", tests: []string{"TestConversion"},
		},
	}
}

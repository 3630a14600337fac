package main

// codeMutants are about codes.
func codeMutants() []mutant {
	return []mutant{
		{
			name: "code-end", without: "a code can be entered after its end",
			edits: []edit{
				{"store/redisstore/scripts/code_try.lua", "or tonumber(code[2]) <= tonumber(ARGV[2]) ", ""},
			},
			pkg: "store/redisstore", tests: []string{"TestCodes"},
		},
		{
			name: "code-attempts", without: "a code can be guessed at without end",
			edits: []edit{
				{"store/redisstore/scripts/code_try.lua", "if left < 1 then return {'attempts'} end\n", ""},
			},
			pkg: "store/redisstore", tests: []string{"TestCodes"},
		},
		{
			name: "code-once", without: "a code is good for many uses at once",
			edits: []edit{
				{"store/redisstore/scripts/code_use.lua", "if code[2] ~= '' then return {3, ''} end\n", ""},
			},
			pkg: "store/redisstore", tests: []string{"TestCodes"},
		},
		{
			name: "code-purpose", without: "a code to sign in with resets the password",
			edits: []edit{
				{
					"store/redisstore/scripts/code_try.lua",
					"if code[1] ~= ARGV[1] or",
					"if not code[1] or",
				},
			},
			pkg: "store/redisstore", tests: []string{"TestCodes"},
		},
		{
			name: "code-replaced-purpose", without: "a code ends one of another purpose",
			edits: []edit{
				{
					"store/redisstore/scripts/code_issue.lua",
					"redis.call('HGET', KEYS[3], 'purpose') == ARGV[2] then",
					"redis.call('EXISTS', KEYS[3]) == 1 then",
				},
			},
			pkg: "store/redisstore", tests: []string{"TestCodes"},
		},
		{
			name: "code-number", without: "the id of another number's code is looked up",
			edits: []edit{
				{
					"verify/service.go",
					"\tif !isOf(id, s.subject(mobile)) {\n\t\treturn Pending{}, false, ErrExpired",
					"\tif _, ok := SubjectOf(id); !ok {\n\t\treturn Pending{}, false, ErrExpired",
				},
			},
			pkg: "verify", tests: []string{"TestService_asks_the_store_for_codes_of_the_number_only"},
		},
		{
			name: "code-purpose-mac", without: "what is compared with is the same for every purpose",
			edits: []edit{
				{
					"secrets/code.go",
					"sub.check.sum(d.ID, d.Mobile, d.Purpose, code)",
					"sub.check.sum(d.ID, d.Mobile, code)",
				},
			},
			pkg: "secrets", tests: []string{"TestKeys_CheckMAC_is_bound_to_all_that_a_code_is_for"},
		},
		{
			name: "constant-time", without: "the time of a comparison tells how far a code is right",
			edits: []edit{
				{"verify/service.go", "hmac.Equal([]byte(mac), []byte(pending.MAC))", "mac == pending.MAC"},
				{"verify/service.go", "\t\"crypto/hmac\"\n", ""},
			},
			pkg: "internal/archtest", tests: []string{"TestSecrets_are_compared_in_constant_time"},
		},
	}
}

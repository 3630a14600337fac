package main

// codeMutants are about codes and captchas.
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
				{"store/redisstore/scripts/code_use.lua", "if code[2] ~= '' or tonumber(code[1])", "if tonumber(code[1])"},
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
			name: "code-wrong-all", without: "a million codes are guessed at five times each",
			edits: []edit{
				{"store/redisstore/codes.go", "\tif !decision.Allowed() {\n\t\treturn verify.Pending{}, verify.ErrAttempts\n\t}\n", ""},
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
			name: "captcha-once", without: "one captcha lets any number of requests in",
			edits: []edit{
				{"store/redisstore/captchas.go", "pipe.GetDel(", "pipe.Get("},
			},
			pkg: "store/redisstore", tests: []string{"TestCaptchas"},
		},
		{
			name: "captcha-price", without: "a cheap captcha is worth as much as a dear one",
			edits: []edit{
				{"store/redisstore/captchas.go", "Price: challenge.Price(parts[1]), ", "Price: challenge.High, "},
			},
			pkg: "store/redisstore", tests: []string{"Test_decodeAsked"},
		},
		{
			name: "work-signature", without: "anybody makes challenges whose answer is known",
			edits: []edit{
				{"captcha/pow/pow.go", "if equal(p.Challenge.Signature, sign(s.Challenge, signed)) {", "if len(signed) > 0 {"},
			},
			pkg: "captcha/pow", tests: []string{"TestMaker_Verify_refuses"},
		},
		{
			name: "work-key", without: "a prefix is enough, without the work",
			edits: []edit{
				{"captcha/pow/pow.go", "if !equal(p.Challenge.Parameters.KeySignature, sign(s.Key, key)) {", "if len(key) == 0 {"},
			},
			pkg: "captcha/pow", tests: []string{"TestMaker_Verify_refuses"},
		},
		{
			name: "work-id", without: "one proof answers every challenge",
			edits: []edit{
				{"captcha/pow/pow.go", "err != nil || encoding.EncodeToString(nonce) != id ||", "err != nil ||"},
				{"captcha/pow/pow.go", "nonce, err := hex.DecodeString(p.Challenge.Parameters.Nonce)", "_, err := hex.DecodeString(p.Challenge.Parameters.Nonce)"},
			},
			pkg: "captcha/pow", tests: []string{"TestMaker_Verify_refuses"},
		},
		{
			name: "work-beside", without: "the picture alone is enough under pressure",
			edits: []edit{
				{"api/captchas.go", "\t\tif s.Work.Verify(id, proof, s.Now()) != nil {\n\t\t\treturn false\n\t\t}\n", "\t\t_ = proof\n"},
			},
			pkg: "api", tests: []string{"TestCaptcha_costs_more_under_pressure"},
		},
		{
			name: "audio-alone", without: "a machine asks for recordings only",
			edits: []edit{
				{"api/captchas.go", "\tcase asked.Medium != captcha.Image:\n\t\treturn errCaptchaGone\n", ""},
			},
			pkg: "api", tests: []string{"TestCaptcha_recording_only_in_place_of_a_picture"},
		},
		{
			name: "captcha-empty", without: "a captcha that is gone is answered by nothing",
			edits: []edit{
				{"captcha/match.go", `return want != "" && `, "return "},
			},
			pkg: "captcha", tests: []string{"TestMatch"},
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

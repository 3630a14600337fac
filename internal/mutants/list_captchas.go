package main

// captchaMutants are about captchas and proofs of work.
func captchaMutants() []mutant {
	return []mutant{
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
				{"api/captchas.go", "case asked.Medium != captcha.Image:", "case asked.Medium == \"none\":"},
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
	}
}

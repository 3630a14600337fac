package main

// limitMutants are about how much one stranger may use up.
func limitMutants() []mutant {
	return []mutant{
		{
			name: "number-limit", without: "a number gets codes without end",
			edits: []edit{
				{
					"store/redisstore/scripts/code_issue.lua",
					"if refused > 0 and not record then return {'limit', refused, retry} end\n",
					"",
				},
			},
			pkg: "store/redisstore", tests: []string{"TestCodes"},
		},
		{
			name: "number-share", without: "strangers use up all codes of a number",
			edits: []edit{
				{"store/redisstore/windows.go", "\tdefault:\n\t\treturn numberLimits\n", "\tdefault:\n\t\treturn numberLimits[:2]\n"},
			},
			pkg: "store/redisstore", tests: []string{"TestCodes"},
		},
		{
			name: "high-price", without: "any captcha passes where strangers have used up the passwords of a name",
			edits: []edit{
				{"api/slowdown.go", "case admitted.price != captcha.High:", "case admitted.price != captcha.High && admitted.price == \"\":"},
			},
			pkg: "api", tests: []string{"TestSignIn_slows_down_one_network_and_then_all_strangers"},
		},
		{
			name: "way-in", without: "strangers close password and code of an owner on a new network",
			edits: []edit{
				{"api/slowdown.go", "\tattempt.failures, attempt.priority = withoutStrangers(attempt.failures), passwords.First\n", ""},
			},
			pkg: "api", tests: []string{"TestStrangers_cannot_close_both_password_and_code"},
		},
		{
			name: "number-pause", without: "a number gets codes one upon the other",
			edits: []edit{
				{
					"store/redisstore/scripts/code_issue.lua",
					"if paused and tonumber(paused) > now then return {'pause', tonumber(paused) - now} end\n",
					"",
				},
			},
			pkg: "store/redisstore", tests: []string{"TestCodes"},
		},
		{
			name: "address-limit", without: "an address, a network, a prefix asks without end",
			edits: []edit{
				{"api/gate.go", "case !decision.Allowed():\n\t\treturn admitted, refusal(decision)\n\t", ""},
			},
			pkg: "api", tests: []string{"TestPumping_each_limit_refuses_at_its_number"},
		},
		{
			name: "window-all-or-none", without: "a limit is spent although it refuses",
			edits: []edit{
				{"store/redisstore/scripts/window.lua", "local granted = refused == 0 or record", "local granted = true"},
			},
			pkg: "store/redisstore", tests: []string{"TestLimits"},
		},
		{
			name: "vendor-answer-size", without: "a vendor's answer may have any size",
			edits: []edit{
				{
					"providers/internal/wire/wire.go",
					"io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))",
					"io.ReadAll(resp.Body)",
				},
			},
			pkg: "providers/ronglian", tests: []string{"TestClient"},
		},
	}
}

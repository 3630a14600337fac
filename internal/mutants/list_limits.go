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
				{"api/slowdown.go", "case admitted.price != captcha.High:", "case admitted.price == \"\":"},
			},
			pkg: "api", tests: []string{"TestSignIn_slows_down_one_network_and_then_all_strangers"},
		},
		{
			name: "way-in", without: "strangers close password and code of an owner on a new network",
			edits: []edit{
				{"api/slowdown.go", "\tattempt.failures, attempt.priority = withoutStrangers(attempt.failures), accounts.First\n", ""},
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
		{
			name: "password-turns", without: "so many passwords as arrive are hashed at once",
			edits: []edit{
				{"accounts/hasher.go", "place, err := h.queue.acquire(ctx, priority)", "place, err := &hashPlace{}, ctx.Err()"},
				{"accounts/hasher.go", "\tdefer h.queue.release(place)\n", ""},
			},
			pkg: "accounts", tests: []string{"TestHasher_waits_a_second_for_its_turn"},
		},
		{
			name: "password-priority", without: "a crowd of strangers keeps people from signing in",
			edits: []edit{
				{"accounts/hashqueue.go", "q.waiting[priority] = append(", "priority = Later\n\tq.waiting[priority] = append("},
			},
			pkg: "accounts", tests: []string{"TestHasher_crowd_of_strangers_does_not_keep_the_proved_waiting"},
		},
		{
			name: "code-before-hash", without: "a made-up code costs a hash and tells who has an account",
			edits: []edit{
				{
					"accounts/register.go",
					"\tif a.mobile.IsZero() {\n\t\treturn s.create(ctx, a, Later)\n\t}\n",
					"\tif a.mobile.IsZero() {\n\t\treturn s.create(ctx, a, Later)\n\t}\n\tif err := s.refuseTaken(ctx, a); err != nil {\n\t\treturn Account{}, err\n\t}\n",
				},
			},
			pkg: "accounts", tests: []string{"TestRegister_asks_for_the_code_before_anything_else"},
		},
		{
			name: "budget-default", without: "nothing bounds the bill unless somebody sets a budget",
			edits: []edit{
				{"app/front/api.go", "WithBudget(float64(s.Config.SMSBudgetYuan), s.Config.SMSPriceYuan)", "WithBudget(0*float64(s.Config.SMSBudgetYuan), s.Config.SMSPriceYuan)"},
			},
			pkg: "app", tests: []string{"TestBudget_is_on_by_default_and_warned_of_when_it_is_off"},
		},
		{
			name: "budget-unknown", without: "a botnet spends the whole budget",
			edits: []edit{
				{"api/gate.go", "Subject: limits.Everybody},\n\t\tlimits.Spend{Limit: s.Limits[limits.SMSBudgetUnknown], Subject: limits.Everybody})", "Subject: limits.Everybody})"},
			},
			pkg: "api", tests: []string{"TestBill_of_a_botnet_is_the_stated_one"},
		},
		{
			name: "shared-limits", without: "strangers use up what owners need",
			edits: []edit{
				{"api/gate.go", "knownErr != nil || !known", "knownErr != nil || !known || known"},
			},
			pkg: "api", tests: []string{"TestPrefix_that_strangers_stopped_serves_its_owners"},
		},
		{
			name: "guard-history", without: "a bad day is forgotten after ten minutes",
			edits: []edit{
				{"store/redisstore/scripts/window.lua", "local isGood = history.units < count or", "local isGood = sent < count or"},
			},
			pkg: "store/redisstore", tests: []string{"TestConversion"},
		},
	}
}

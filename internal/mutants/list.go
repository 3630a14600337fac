package main

// mutants are the guards that docs/security-controls.md and docs/reliability.md rely on most, each with the
// tests that its absence must not pass. An edit that would leave an import or a variable unused keeps it in use.
func mutants() []mutant {
	return append(append(limitMutants(), codeMutants()...), append(doorMutants(), workMutants()...)...)
}

// limitMutants are about how much one stranger may use up.
func limitMutants() []mutant {
	return []mutant{
		{
			"number-limit", "a number gets codes without end",
			[]edit{{"store/redisstore/scripts/code_issue.lua",
				"if refused > 0 and not record then return {'limit', refused, retry} end\n", ""}},
			"store/redisstore", []string{"TestCodes"},
		},
		{
			"number-pause", "a number gets codes one upon the other",
			[]edit{{"store/redisstore/scripts/code_issue.lua",
				"if paused and tonumber(paused) > now then return {'pause', tonumber(paused) - now} end\n", ""}},
			"store/redisstore", []string{"TestCodes"},
		},
		{
			"address-limit", "an address, a network, a prefix asks without end",
			[]edit{{"api/gate.go", "case !decision.Allowed():\n\t\treturn decision, refusal(decision)\n\t", ""}},
			"api", []string{"TestPumping_each_limit_refuses_at_its_number"},
		},
		{
			"window-all-or-none", "a limit is spent although it refuses",
			[]edit{{"store/redisstore/scripts/window.lua",
				"local granted = refused == 0 or record", "local granted = true"}},
			"store/redisstore", []string{"TestLimits"},
		},
		{
			"trusted-proxies", "X-Forwarded-For of strangers is believed",
			[]edit{{"api/middleware.go", "return echo.ExtractIPDirect()", "return echo.ExtractIPFromXFFHeader()"}},
			"api", []string{"TestForged_forwarding_is_not_believed"},
		},
		{
			"body-size", "a body may have any size",
			[]edit{{"api/request.go",
				"io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, maxBody))", "io.ReadAll(c.Request().Body)"}},
			"api", []string{"TestBodies_too_large_or_of_another_type"},
		},
		{
			"vendor-answer-size", "a vendor's answer may have any size",
			[]edit{{"providers/internal/wire/wire.go", "io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))", "io.ReadAll(resp.Body)"}},
			"providers/ronglian", []string{"TestClient"},
		},
		{
			"password-turns", "so many passwords as arrive are hashed at once",
			[]edit{
				{"accounts/hasher.go", "make(chan struct{}, max(parallel, 1))", "make(chan struct{}, 1000)"},
			},
			"accounts", []string{"TestHasher_works_on_as_many_at_once_as_it_was_told", "TestHasher_waits_a_second_for_its_turn"},
		},
	}
}

// codeMutants are about codes, captchas and links.
func codeMutants() []mutant {
	return []mutant{
		{
			"code-end", "a code can be entered after its end",
			[]edit{{"store/redisstore/scripts/code_try.lua", "or tonumber(code[1]) <= now ", ""}},
			"store/redisstore", []string{"TestCodes"},
		},
		{
			"code-attempts", "a code can be guessed at without end",
			[]edit{{"store/redisstore/scripts/code_try.lua", "if left < 1 then return {'attempts'} end\n", ""}},
			"store/redisstore", []string{"TestCodes"},
		},
		{
			"code-once", "a code is good for many uses at once",
			[]edit{{"store/redisstore/scripts/code_use.lua", "if code[3] ~= '' or tonumber(code[2])", "if tonumber(code[2])"}},
			"store/redisstore", []string{"TestCodes"},
		},
		{
			"code-purpose", "a code to sign in with resets the password",
			[]edit{{"store/redisstore/keys.go", "return currents(subject) + string(purpose)", "return currents(subject) + string(purpose)[:0]"}},
			"store/redisstore", []string{"TestCodes"},
		},
		{
			"code-purpose-mac", "what is compared with is the same for every purpose",
			[]edit{{"secrets/code.go",
				"mac(sub.check, d.ID, d.Mobile, d.Purpose, code)", "mac(sub.check, d.ID, d.Mobile, code)"}},
			"secrets", []string{"TestKeys_CheckMAC_is_bound_to_all_that_a_code_is_for"},
		},
		{
			"captcha-once", "one captcha lets any number of requests in",
			[]edit{{"store/redisstore/captchas.go", "pipe.GetDel(", "pipe.Get("}},
			"store/redisstore", []string{"TestCaptchas"},
		},
		{
			"captcha-empty", "a captcha that is gone is answered by nothing",
			[]edit{{"captcha/match.go", `return want != "" && `, "return "}},
			"captcha", []string{"TestMatch"},
		},
		{
			"constant-time", "the time of a comparison tells how far a code is right",
			[]edit{
				{"verify/service.go", "hmac.Equal([]byte(mac), []byte(pending.MAC))", "mac == pending.MAC"},
				{"verify/service.go", "\t\"crypto/hmac\"\n", ""},
			},
			"internal/archtest", []string{"TestSecrets_are_compared_in_constant_time"},
		},
		{
			"link-signature", "anybody makes links",
			[]edit{{"secrets/token.go", "if err != nil || !hmac.Equal(given, mac(sub.token, signed)) {",
				"if err != nil || !hmac.Equal(given, mac(sub.token, signed)) && len(given) == 0 {"}},
			"secrets", []string{"TestKeys_ParseToken"},
		},
		{
			"link-generation", "a link works after another was asked for",
			[]edit{{"store/sqlstore/accounts.go", "where id = ? and activation_generation = ? and email_key is not null",
				"where id = ? and (activation_generation = ? or true) and email_key is not null"}},
			"store/sqlstore", []string{"TestStores_keep_the_promises/.*/Accounts"},
		},
		{
			"link-address", "a link proves an address that it did not go to",
			[]edit{{"accounts/activation.go",
				" || s.Keys.Index(indexEmail, account.Email.Reveal()) != token.Address", ""}},
			"accounts", []string{"TestActivate_refuses_what_was_not_made_for_this_address"},
		},
		{
			"resend-alike", "the answer tells whether an address has an account",
			[]edit{{"accounts/activation.go", "if err != nil || !found || account.EmailActive {\n\t\treturn err\n",
				"if err == nil && !found {\n\t\treturn ErrNotFound\n\t}\n\tif err != nil || account.EmailActive {\n\t\treturn err\n"}},
			"accounts", []string{"TestResendActivation_answers_alike"},
		},
	}
}

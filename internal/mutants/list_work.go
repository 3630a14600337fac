package main

// doorMutants are about who gets in and what comes in with them.
func doorMutants() []mutant {
	return []mutant{
		{
			"cross-origin", "a page of anybody makes browsers send requests",
			[]edit{{"api/middleware.go", "if err := protection.Check(c.Request()); err != nil {",
				"if err := protection.Check(c.Request()); err != nil && c == nil {"}},
			"api", []string{"TestCross_origin_requests"},
		},
		{
			"cors-origins", "pages of every origin read answers, with credentials",
			[]edit{{"api/middleware.go", "return slices.Contains(s.Config.AllowedOrigins, origin), nil",
				"return len(origin) > 0, nil"}},
			"api", []string{"TestCORS_other_origins_learn_nothing_and_change_nothing"},
		},
		{
			"session-of-old-password", "whoever stole a session keeps it after the password was reset",
			[]edit{{"api/session.go", "if !account.Active || account.SessionGeneration != s.sessions.GetInt(ctx, sessionGeneration) {",
				"if !account.Active {"}},
			"api", []string{"TestJourney_sign_in_by_code_then_reset_ends_sessions"},
		},
		{
			"session-generation", "the same, in SQL",
			[]edit{{"store/sqlstore/accounts.go",
				"set password_hash = ?, session_generation = session_generation + 1, updated_at = ?\n\t\t\twhere id = ?\n",
				"set password_hash = ?, updated_at = ?\n\t\t\twhere id = ?\n"}},
			"store/sqlstore", []string{"TestStores_keep_the_promises/.*/Accounts"},
		},
		{
			"session-new-token", "a token that was planted before the sign-in is signed in",
			[]edit{{"api/session.go", "if err := s.sessions.RenewToken(ctx); err != nil {\n\t\treturn err\n\t}\n", ""}},
			"api", []string{"TestSession_has_a_new_token_after_each_sign_in"},
		},
		{
			"sign-in-captcha", "passwords are guessed by machines",
			[]edit{{"api/slowdown.go", "if s.Captcha.Enabled() && body.CaptchaID == \"\" {\n\t\tspends",
				"if s.Captcha.Enabled() && c == nil {\n\t\tspends"}},
			"api", []string{"TestSignIn_demands_a_captcha_after_three_failures"},
		},
		{
			"unknown-login-hashes", "the time of a sign-in tells whether there is an account",
			[]edit{{"accounts/hasher.go", "\t\thash = h.dummy\n", "\t\treturn false, nil\n"}},
			"accounts", []string{"TestSignIn_hashes_for_unknown_logins_too"},
		},
		{
			"username-twins", "two accounts have names that look alike",
			[]edit{{"accounts/username.go", "return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))",
				"_ = cases.Fold\n\treturn norm.NFKC.String(s)"}},
			"accounts", []string{"TestCanonicalUsername"},
		},
		{
			"username-unique", "two requests at once make two accounts of one name",
			[]edit{{"store/sqlstore/migrations/0001_accounts.sql",
				"    constraint accounts_username unique (username_key),\n", ""}},
			"store/sqlstore", []string{"TestStores_keep_the_promises/.*/Accounts"},
		},
		{
			"mail-html", "a user name is HTML in mails",
			[]edit{{"tasks/templates.go", `htmltemplate "html/template"`, `htmltemplate "text/template"`}},
			"tasks", []string{"TestMails_escapes_what_people_chose"},
		},
		{
			"mail-headers", "a subject with a line break adds headers",
			[]edit{{"providers/smtp/message.go",
				"case strings.ContainsAny(email.Subject+email.MessageID, \"\\r\\n\\x00\"):\n\t\treturn nil, errHeader\n\t", ""}},
			"providers/smtp", []string{"TestClient"},
		},
		{
			"receipt-secret", "anybody reports that codes arrived",
			[]edit{{"api/receipts.go", `if !s.isReceiptSecret(c.Param("secret")) || !known {`, "if !known {"}},
			"api", []string{"TestReceipts_refusals_change_nothing", "TestReceipts_without_a_secret_in_the_settings_are_not_taken"},
		},
		{
			"ops-token", "anybody reads the operations port",
			[]edit{{"app/ops.go", "subtle.ConstantTimeCompare(sum[:], want[:]) != 1", "subtle.ConstantTimeCompare(want[:], want[:]) != 1 && len(sum) == 0"}},
			"app", []string{"TestOps"},
		},
		{
			"idempotency-body", "one key gives the answer to another request",
			[]edit{{"api/idempotency.go", "case !same:", "case !same && c == nil:"}},
			"api", []string{"TestIdempotency_key_is_for_one_body_of_one_endpoint"},
		},
	}
}

// workMutants are about messages: each sent once, in time, by one worker.
func workMutants() []mutant {
	return []mutant{
		{
			"claim-of-code", "two workers send one code",
			[]edit{{"store/redisstore/scripts/code_claim.lua",
				"  if code[6] ~= ARGV[4] then return {'busy', tonumber(code[7]), lease} end\n", ""}},
			"store/redisstore", []string{"TestCodes"},
		},
		{
			"claim-of-mail", "two workers send one mail",
			[]edit{{"store/sqlstore/mails.go", "(state = 'queued' or state = 'sending' and lease_until <= ?)",
				"(state in ('queued', 'sending') or lease_until <= ?)"}},
			"store/sqlstore", []string{"TestStores_keep_the_promises/.*/Mails"},
		},
		{
			"claim-of-dead-code", "a code that nobody can enter any more is sent",
			[]edit{{"store/redisstore/scripts/code_claim.lua",
				"if tonumber(code[4]) <= now then return drop('expired') end\n", ""}},
			"store/redisstore", []string{"TestCodes"},
		},
		{
			"claim-of-old-code", "a code that was replaced is sent",
			[]edit{{"store/redisstore/scripts/code_claim.lua",
				"if redis.call('GET', ARGV[5] .. code[1]) ~= ARGV[1] then return drop('superseded') end\n", ""}},
			"store/redisstore", []string{"TestCodes"},
		},
		{
			"lease-end", "a worker that stood still sends what another sends as well",
			[]edit{{"tasks/claim.go", "claim.LeaseUntil.Add(-leaseMargin))", "claim.LeaseUntil.Add(leaseMargin * 100))"}},
			"tasks", []string{
				"TestHandlers_call_no_provider_when_the_process_stood_still_after_its_claim",
				"TestHandlers_give_a_provider_no_longer_than_the_claim_lasts",
			},
		},
		{
			"outcome-of-claim", "the outcome of an old claim replaces that of a newer one",
			[]edit{{"store/redisstore/scripts/code_record.lua", "if code[1] ~= ARGV[1] then return 0 end\n", ""}},
			"store/redisstore", []string{"TestCodes"},
		},
		{
			"doubtful-twice", "what may have been sent twice is sent again",
			[]edit{{"tasks/email.go", "if mail.Doubts >= mostSends {", "if mail.Doubts >= 1000*mostSends {"}},
			"tasks", []string{"TestHandlers_send_a_message_of_unknown_fate_twice_at_most_and_the_same"},
		},
		{
			"skip-locked", "one relay waits for the other",
			[]edit{{"store/sqlstore/dialect.go", `return "for update skip locked"`, `return "for update"`}},
			"store/sqlstore", []string{"TestMails_Due_passes_over_rows_that_another_relay_holds"},
		},
		{
			"task-id", "a request that is repeated queues two tasks",
			[]edit{{"tasks/sms_code.go", "\t\tasynq.TaskID(code.ID),\n", ""}},
			"tasks", []string{"TestEnqueuer_puts_a_task_there_once"},
		},
		{
			"sealed-number", "the queue shows numbers",
			[]edit{{"tasks/sms_code.go", "Sealed: sealed, ", "Sealed: sealed[:0] + code.To.Reveal(), "}},
			"tasks", []string{"TestEnqueuer_leaves_neither_number_nor_code_in_redis"},
		},
		{
			"sealed-place", "a sealed number is opened in another message's place",
			[]edit{
				{"secrets/seal.go", `[]byte(sub.id+"\x00"+context)`, "[]byte(sub.id)"},
				{"secrets/seal.go", `[]byte(id+"\x00"+context)`, "[]byte(id)"},
			},
			"secrets", []string{"TestKeys_Open_refuses_what_was_moved_or_changed"},
		},
	}
}

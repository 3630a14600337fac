package main

// requestMutants are about where requests come from and what they bring.
func requestMutants() []mutant {
	return []mutant{
		{
			name: "trusted-proxies", without: "X-Forwarded-For of strangers is believed",
			edits: []edit{
				{"api/forwarded.go", "if !s.isProxy(peer) {", "if !s.isProxy(peer) && r == nil {"},
			},
			pkg: "api", tests: []string{"TestForged_forwarding_is_not_believed"},
		},
		{
			name: "body-size", without: "a body may have any size",
			edits: []edit{
				{
					"api/request.go",
					"io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, maxBody))",
					"io.ReadAll(c.Request().Body)",
				},
			},
			pkg: "api", tests: []string{"TestBodies_too_large_or_of_another_type"},
		},
		{
			name: "cross-origin", without: "a page of anybody makes browsers send requests",
			edits: []edit{
				{
					"api/middleware.go",
					"if err := protection.Check(c.Request()); err != nil {",
					"if err := protection.Check(c.Request()); err != nil && c == nil {",
				},
			},
			pkg: "api", tests: []string{"TestCross_origin_requests"},
		},
		{
			name: "cors-origins", without: "pages of every origin read answers, with credentials",
			edits: []edit{
				{
					"api/middleware.go",
					"return slices.Contains(s.Config.AllowedOrigins, origin), nil",
					"return len(origin) > 0, nil",
				},
			},
			pkg: "api", tests: []string{"TestCORS_other_origins_learn_nothing_and_change_nothing"},
		},
		{
			name: "report-secret", without: "anybody reports that codes arrived",
			edits: []edit{
				{"api/reports.go", `if !s.isReportSecret(c.Param("secret")) || !known {`, "if !known {"},
			},
			pkg: "api", tests: []string{
				"TestReports_refusals_change_nothing",
				"TestReports_without_a_secret_in_the_settings_are_not_taken",
			},
		},
		{
			name: "ops-token", without: "anybody reads the operations port",
			edits: []edit{
				{
					"app/ops.go",
					"subtle.ConstantTimeCompare(sum[:], want[:]) != 1",
					"subtle.ConstantTimeCompare(want[:], want[:]) != 1 && len(sum) == 0",
				},
			},
			pkg: "app", tests: []string{"TestOps"},
		},
		{
			name: "ops-host", without: "a page whose name was rebound to the operations port pauses a queue",
			edits: []edit{
				{"app/ops_guard.go", "!isHealth && !h.answers(r.Host)", "!isHealth && !h.answers(r.Host) && false"},
			},
			pkg: "app", tests: []string{"TestOps_answer_only_their_own_host_names"},
		},
		{
			name: "idempotency-body", without: "one key gives the answer to another request",
			edits: []edit{
				{"api/idempotency.go", "case !same:", "case !same && c == nil:"},
			},
			pkg: "api", tests: []string{"TestIdempotency_key_is_for_one_body_of_one_endpoint"},
		},
	}
}

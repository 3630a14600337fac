package main

// pastedMutants are about what people and proxies hand in.
func pastedMutants() []mutant {
	return []mutant{
		{
			name: "code-used", without: "a guess at a used code is told apart from an unknown id",
			edits: []edit{
				{"verify/service.go", "	case right:\n		return Pending{}, false, ErrUsed", "	default:\n		return Pending{}, false, ErrUsed"},
			},
			pkg: "verify", tests: []string{"TestService_tells_of_a_use_only_who_knows_the_code"},
		},
		{
			name: "forwarded-unknown", without: "what a stranger wrote before a proxy's \"unknown\" is believed",
			edits: []edit{
				{"api/forwarded.go", "if !ok {\n				return client, false\n			}", "if !ok {\n				continue\n			}"},
			},
			pkg: "api", tests: []string{"TestForwarded_forms"},
		},
	}
}

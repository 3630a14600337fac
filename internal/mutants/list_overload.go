package main

// overloadMutants are the guards of what happens when more comes than can be served.
func overloadMutants() []mutant {
	return []mutant{
		{
			name: "admission", without: "every request is taken on, spends its limits and runs out of time",
			edits: []edit{
				{"api/overload.go", "\t\tif gate == nil {\n", "\t\tif gate != nil || c != nil {\n"},
			},
			pkg: "api", tests: []string{"TestOverload_is_refused_before_it_costs_anything"},
		},
		{
			name: "last-in-first-out", without: "a crowd that is too large is served late, all of it",
			edits: []edit{
				{"overload/overload.go", "w = g.waiting.Back().Value.(*waiter)", "w = g.waiting.Front().Value.(*waiter)"},
			},
			pkg: "overload", tests: []string{"TestGate_admits_up_to_its_bound_and_the_others_when_there_is_room"},
		},
		{
			name: "quietest-connection", without: "idle connections lock everybody out",
			edits: []edit{
				{"app/connections.go", "\t\tif l.quiet.Len() == 0 {\n", "\t\tif l.quiet.Len() >= 0 {\n"},
			},
			pkg: "app", tests: []string{"TestServer_closes_the_quietest_connection_for_a_newcomer"},
		},
		{
			name: "time-left", without: "a trip begins that is cut off in the middle",
			edits: []edit{
				{"store/timeleft.go", "time.Until(deadline) < leastTime", "time.Until(deadline) < leastTime*0"},
			},
			pkg: "store", tests: []string{"TestTimeLeft_lets_no_trip_begin_that_cannot_end"},
		},
	}
}

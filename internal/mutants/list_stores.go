package main

// storeMutants are the guards of what happens when a store is away.
func storeMutants() []mutant {
	return []mutant{
		{
			name: "batch-error", without: "people read of a mistake of ours while Redis is away",
			edits: []edit{
				{"store/redisstore/coalesce.go", "cmd.SetErr(err)\n\t\t\t}\n\t\t}\n\t}\n}", "_ = err\n\t\t\t}\n\t\t}\n\t}\n}"},
			},
			pkg: "store/redisstore", tests: []string{"TestCoalesce_tells_everybody_of_an_outage"},
		},
		{
			name: "statement-repeated", without: "a statement whose answer got lost is executed twice",
			edits: []edit{
				{"store/sqlstore/pgconn.go", "c.wire.wrote && !safe", "c.wire.wrote && !safe && false"},
			},
			pkg: "store/sqlstore", tests: []string{"TestBroken_connection_repeats_nothing"},
		},
		{
			name: "standby-kept", without: "a process stays with a database that became a standby",
			edits: []edit{
				{"store/sqlstore/pgconn.go", "pq.TargetSessionAttrsReadWrite", "pq.TargetSessionAttrsAny"},
			},
			pkg: "store/sqlstore", tests: []string{"TestSwitchOver_is_followed"},
		},
	}
}

package main

import "slices"

// mutants are the guards that docs/security-controls.md and docs/reliability.md rely on most, each with the
// tests that its absence must not pass. An edit that would leave an import or a variable unused keeps it in use.
func mutants() []mutant {
	return slices.Concat(limitMutants(), totalMutants(), rememberedMutants(), codeMutants(), captchaMutants(), accountMutants(), linkMutants(),
		pendingMutants(), passwordMutants(), requestMutants(), sessionMutants(), changeMutants(), claimMutants(), messageMutants(), storeMutants(), overloadMutants(),
		vendorMutants(), pastedMutants())
}

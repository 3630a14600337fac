// Command mutants proves that the tests notice when a guard is missing: it compiles the code without one guard
// after the other, runs the tests that must fail then, and prints which test noticed which mutant. It ends with
// code 1 when a mutant is not noticed. The working tree stays as it is.
//
//	go run ./internal/mutants               all of them, in some minutes
//	go run ./internal/mutants -only NAME    one of them
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	only := flag.String("only", "", "`name` of the one mutant to try")
	flag.Parse()
	alive, err := try(ctx, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
	}
	if err != nil || alive > 0 {
		stop()
		os.Exit(1)
	}
}

// try tries the chosen mutants, prints the table and returns how many no test has noticed.
func try(ctx context.Context, only string) (alive int, err error) {
	all, err := parse(list)
	if err != nil {
		return 0, err
	}
	chosen := slices.DeleteFunc(all, func(m mutant) bool { return only != "" && m.name != only })
	if len(chosen) == 0 {
		return 0, fmt.Errorf("no mutant is called %q", only)
	}
	out, err := exec.CommandContext(ctx, "git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return 0, fmt.Errorf("find the working tree: %w", err)
	}
	root := strings.TrimSpace(string(out))
	fmt.Fprintln(os.Stderr, "the tests without any mutant …")
	if err := checkTests(ctx, root, chosen); err != nil {
		return 0, err
	}
	rows := make([]string, 0, len(chosen))
	for _, m := range chosen {
		result, err := m.try(ctx, root)
		if err != nil {
			return 0, err
		}
		fmt.Fprintf(os.Stderr, "%-28s %s\n", m.name, result)
		if !result.caught() {
			alive++
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | `%s` | %s |", m.name, m.without, m.edits[0].file, result))
	}
	fmt.Printf("| Mutant | Without it | In | Noticed by |\n|---|---|---|---|\n%s\n\n%d of %d noticed.\n",
		strings.Join(rows, "\n"), len(chosen)-alive, len(chosen))
	return alive, nil
}

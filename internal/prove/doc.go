// Package prove holds the proof that what Usher acknowledged is not lost, and that nothing is sent twice
// without need: one test for each row of the table in docs/reliability.md. They run the built commands on
// stores of their own, break them, and judge by what the sandbox wrote down.
//
//	make prove                the quick sizes, as part of go test ./... too
//	make prove-long           the long sizes
//	make prove-long ROW=02    one row of them
//
// Environment:
//
//	USHER_PROVE         long: the long sizes
//	USHER_PROVE_SEED    repeats the random choices of a run, which prints its seed
//	USHER_PROVE_REPORT  file that the table is written to as Markdown
//	USHER_PROVE_CODES   number of codes of row 2
//	USHER_PROVE_KILLS   number of kills of rows 1 and 2
package prove

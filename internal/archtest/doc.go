// Package archtest keeps the directions of imports as the design wants them. It has tests only: edges_test.go
// is the table of what may import what, and the place to edit when the design changes.
package archtest

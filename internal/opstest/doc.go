// Package opstest holds alerts, board and runbooks to what the processes show. It has tests only: a Prometheus
// watches a whole deployment, with the rules and the configuration of the folder ops.
package opstest

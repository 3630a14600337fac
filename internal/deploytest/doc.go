// Package deploytest holds the files of a deployment to what they promise. It has tests only: they build with the
// Dockerfile's own commands, and start what docker-compose.yml, the Procfile and the units of systemd start, with
// the same arguments, variables and health checks, as processes of this machine.
package deploytest

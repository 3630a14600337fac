// Package docs has the pages that operators need at night, as part of the API's program.
package docs

import "embed"

// Files are the runbooks and the pages that they link to.
//
//go:embed runbooks/*.md alerts.md reasons.md limits.md messages.md events.md keys.md redis.md postgresql.md deployment.md operations.md
var Files embed.FS

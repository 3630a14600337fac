// Package helm tests the chart usher: `make test-chart`.
package helm

//go:build !race

package mysql

// raceEnabled tells that times mean little.
const raceEnabled = false

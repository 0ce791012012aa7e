// Package sqlmock has tests in the style of sqlmock's users, through the shim
// and through the overlay. Those of the shim run on the bare mock too.
package sqlmock

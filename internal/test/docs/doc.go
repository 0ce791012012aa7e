// Package docs has the tests of what is written about the code: that every
// exported identifier has a comment, that every exported type has an example which
// runs, and that the README's code stands in a test.
package docs

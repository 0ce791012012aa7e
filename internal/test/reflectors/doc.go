// Package reflectors tests the overlay with code by others that reads schemas and
// changes them: Atlas, GORM and goose. It is a module of its own so that users of
// sqlaio never download them.
package reflectors

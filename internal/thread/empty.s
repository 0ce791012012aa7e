// Functions without a body, which go:linkname gives one, need a file of assembly in
// their package.

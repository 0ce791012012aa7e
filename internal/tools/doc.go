// Package tools pins the programs that check the code. It is a module of its
// own so that users of sqlaio never download them.
package tools

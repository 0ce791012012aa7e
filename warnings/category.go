package warnings

// A Category says what kind of thing a warning is about. It is the name of the
// warning's type.
type Category string

// The categories of this module. Other packages may have their own.
const (
	// Blocking is a call that blocks where it should not.
	Blocking Category = "BlockingWarning"
	// Resource is something that was never closed.
	Resource Category = "ResourceWarning"
	// Unawaited is a future whose outcome nobody looked at.
	Unawaited Category = "UnawaitedWarning"
	// Deprecation is the use of what will go away.
	Deprecation Category = "DeprecationWarning"
)

// categories are those that AIOWARNINGS may name.
var categories = []Category{Blocking, Resource, Unawaited, Deprecation}

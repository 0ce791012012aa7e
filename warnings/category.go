package warnings

import (
	"fmt"
	"slices"
	"strings"
)

// A Category is the kind of a warning. It is named after the warning's type.
type Category string

// The categories. A warning type of another package uses one of these. Filters,
// Decide, Warn and Show panic for any other.
const (
	// Blocking is a call that blocks where it should not.
	Blocking Category = "BlockingWarning"
	// Resource is something that was never closed.
	Resource Category = "ResourceWarning"
	// Unawaited is a future whose outcome nobody looked at.
	Unawaited Category = "UnawaitedWarning"
	// Deprecation is the use of something that will be removed.
	Deprecation Category = "DeprecationWarning"
)

var categories = []Category{Blocking, Resource, Unawaited, Deprecation}

// known panics if there is no such category: a filter could never match it.
func known(c Category) Category {
	if !slices.Contains(categories, c) {
		panic(fmt.Sprintf("warnings: no category %q (there are %v)", string(c), categories))
	}
	return c
}

// parseCategory ignores the case of letters.
func parseCategory(name string) (Category, error) {
	i := slices.IndexFunc(categories, func(c Category) bool { return strings.EqualFold(name, string(c)) })
	if i < 0 {
		return "", fmt.Errorf("no category %q (there are %v)", name, categories)
	}
	return categories[i], nil
}

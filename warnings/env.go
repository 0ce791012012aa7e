package warnings

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
)

// EnvVar names the environment variable that sets filters when the program starts,
// as PYTHONWARNINGS does. Its entries have the form "action:message:category:package"
// and are separated by commas. The last one that matches decides. Empty and omitted
// fields match everything:
//
//	AIOWARNINGS=error::BlockingWarning,ignore::ResourceWarning
//
// The action may be abbreviated. The message is a prefix, and its case does not
// matter. A malformed entry is ignored, and is reported to slog once, when the first
// warning is issued.
const EnvVar = "AIOWARNINGS"

// unreported holds what is wrong with malformed entries until it is logged.
var unreported atomic.Pointer[[]error]

func reportEnv() {
	errs := unreported.Load()
	if errs == nil || !unreported.CompareAndSwap(errs, nil) {
		return
	}
	for _, err := range *errs {
		slog.Warn("warnings: entry of "+EnvVar+" ignored", "error", err)
	}
}

// parseEnv returns the filters, the last entry first, and an error for each
// malformed entry.
func parseEnv(value string) (filters []*filter, malformed []error) {
	for entry := range strings.SplitSeq(value, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		f, err := parseEntry(entry)
		if err != nil {
			malformed = append(malformed, fmt.Errorf("%q: %w", entry, err))
			continue
		}
		filters = slices.Insert(filters, 0, f)
	}
	return filters, malformed
}

func parseEntry(entry string) (*filter, error) {
	fields := strings.Split(entry, ":")
	if len(fields) > 4 {
		return nil, errors.New("more fields than action:message:category:package")
	}
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	fields = append(fields, "", "", "")
	action, err := parseAction(fields[0])
	if err != nil {
		return nil, err
	}
	match := []Match{FromPackage(fields[3])}
	if name := fields[2]; name != "" && !strings.EqualFold(name, "Warning") {
		category, err := parseCategory(name)
		if err != nil {
			return nil, err
		}
		match = append(match, OfCategory(category))
	}
	if fields[1] != "" {
		prefix, err := regexp.Compile("(?i)^" + regexp.QuoteMeta(fields[1]))
		if err != nil { // not UTF-8
			return nil, err
		}
		match = append(match, WithMessage(prefix))
	}
	return newFilter(action, match), nil
}

// parseAction accepts any prefix of an action's name. All differ in their first
// letter; the empty prefix means Default.
func parseAction(s string) (Action, error) {
	for i, name := range actions {
		if strings.HasPrefix(name, strings.ToLower(s)) {
			return Action(i), nil
		}
	}
	return 0, fmt.Errorf("no action %q (there are %s)", s, strings.Join(actions, ", "))
}

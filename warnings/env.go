package warnings

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync/atomic"
)

// EnvVar names the environment variable that sets filters when the program
// starts, as PYTHONWARNINGS does: entries "action:message:category:package",
// separated by commas, of which the last one that matches decides.
// Fields left out at the end, or empty, match everything:
//
//	AIOWARNINGS=error::BlockingWarning,ignore::ResourceWarning
//
// The action may be abbreviated; the message is how messages begin, in
// small letters or capitals. An entry that is malformed is reported once, to slog,
// when first something would be warned of; the others count.
const EnvVar = "AIOWARNINGS"

// unreported holds the malformed entries until somebody could be warned.
var unreported atomic.Pointer[[]error]

func reportEnv() {
	if unreported.Load() == nil {
		return
	}
	if errs := unreported.Swap(nil); errs != nil {
		for _, err := range *errs {
			slog.Warn("warnings: entry of "+EnvVar+" ignored", "error", err)
		}
	}
}

// parseEnv returns the filters, the last entry first, and what is wrong with
// entries that are not among them.
func parseEnv(value string) (filters []*filter, malformed []error) {
	for entry := range strings.SplitSeq(value, ",") {
		if strings.TrimSpace(entry) == "" {
			continue
		}
		f, err := parseEntry(entry)
		if err != nil {
			malformed = append(malformed, fmt.Errorf("%q: %w", strings.TrimSpace(entry), err))
			continue
		}
		filters = append([]*filter{f}, filters...)
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
	category, err := parseCategory(fields[2])
	if err != nil {
		return nil, err
	}
	match := []Match{OfCategory(category), FromPackage(fields[3])}
	if fields[1] != "" {
		begins, err := regexp.Compile("(?i)^" + regexp.QuoteMeta(fields[1]))
		if err != nil { // not UTF-8
			return nil, err
		}
		match = append(match, WithMessage(begins))
	}
	return newFilter(action, match), nil
}

// parseAction takes any beginning of an action's name, all of which differ in
// their first letter.
func parseAction(s string) (Action, error) {
	for i, name := range actions {
		if strings.HasPrefix(name, strings.ToLower(s)) {
			return Action(i), nil
		}
	}
	return 0, fmt.Errorf("no action %q (there are %s)", s, strings.Join(actions, ", "))
}

func parseCategory(s string) (Category, error) {
	if s == "" || strings.EqualFold(s, "Warning") {
		return "", nil
	}
	for _, c := range categories {
		if strings.EqualFold(s, string(c)) {
			return c, nil
		}
	}
	return "", fmt.Errorf("no category %q (there are %v)", s, categories)
}

package debug

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"time"

	"github.com/sqlaio/sqlaio/internal/sqltext"
)

const (
	longestStatement = 1000 // bytes
	longestValue     = 100
	mostValues       = 50
)

func withoutValues(statement string, _ []driver.NamedValue) string {
	return sqltext.Shorten(statement, longestStatement)
}

func withValues(statement string, args []driver.NamedValue) string {
	var b strings.Builder
	b.WriteString(clip(statement, longestStatement))
	for i, a := range args[:min(len(args), mostValues)] {
		b.WriteString([]string{" ← ", ", "}[min(i, 1)])
		if a.Name != "" {
			b.WriteString(a.Name + "=")
		}
		b.WriteString(value(a.Value))
	}
	if len(args) > mostValues {
		b.WriteString(", …")
	}
	return b.String()
}

// value formats an argument. One that is of no basic type may be in use by the
// application, and is not looked into.
func value(v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case string:
		return fmt.Sprintf("%q", clip(v, longestValue))
	case []byte:
		if len(v) > longestValue/2 {
			return fmt.Sprintf("x'%x…'", v[:longestValue/2])
		}
		return fmt.Sprintf("x'%x'", v)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64:
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("(%T)", v)
}

// clip cuts text to about max bytes.
func clip(text string, max int) string {
	if len(text) > max {
		return strings.ToValidUTF8(text[:max], "") + "…"
	}
	return text
}

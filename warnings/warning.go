package warnings

import (
	"strings"
	"time"
)

// A Warning is an error that filters may turn into a record of the log. The
// types of this package are used as pointers, which errors.As finds:
//
//	var w *warnings.BlockingWarning
//	if errors.As(err, &w) { ... }
//
// A type of another package embeds Info and adds Category and Error.
type Warning interface {
	error
	Category() Category // by which filters match it
	Details() *Info     // the Info embedded in it, not a copy
}

// Info is what every warning carries. Message is the same text for
// the same kind of trouble, because filters match it and repeats are known by
// it; what differs from call to call goes to other fields. Statement is shown
// as it is: give it shortened and without values.
type Info struct {
	Message   string
	Advice    string // what to do instead, in one sentence
	Statement string // the SQL, if there was any
	Site      Site   // where the application did it; Warn fills it in if zero
}

// Details returns the part all warnings have in common.
func (i *Info) Details() *Info { return i }

// text renders the warning on one line.
func (i *Info) text(c Category, extra string) string {
	var b strings.Builder
	b.WriteString(string(c))
	if !i.Site.IsZero() {
		b.WriteString(" at ")
		b.WriteString(i.Site.String())
	}
	b.WriteString(": ")
	b.WriteString(i.Message)
	b.WriteString(extra)
	if i.Statement != "" {
		b.WriteString(": ")
		b.WriteString(i.Statement)
	}
	if i.Advice != "" {
		b.WriteString(" (")
		b.WriteString(i.Advice)
		b.WriteString(")")
	}
	return b.String()
}

// A BlockingWarning is about a call that blocks where it should not.
type BlockingWarning struct {
	Info
	Took time.Duration // how long it blocked; 0 if it has not yet, or nobody measured
}

// Category returns Blocking.
func (*BlockingWarning) Category() Category { return Blocking }

// Error renders the warning on one line.
func (w *BlockingWarning) Error() string {
	if w.Took > 0 {
		return w.text(Blocking, ", for "+w.Took.Round(time.Microsecond).String())
	}
	return w.text(Blocking, "")
}

// A ResourceWarning is about something that was never closed; its site is where
// that was made, as Caller told at the time.
type ResourceWarning struct{ Info }

// Category returns Resource.
func (*ResourceWarning) Category() Category { return Resource }

// Error renders the warning on one line.
func (w *ResourceWarning) Error() string { return w.text(Resource, "") }

// An UnawaitedWarning is about a future whose outcome nobody looked at; its site
// is where that was made.
type UnawaitedWarning struct {
	Info
	Err error // what nobody saw; nil if it was no error
}

// Category returns Unawaited.
func (*UnawaitedWarning) Category() Category { return Unawaited }

// Error renders the warning on one line.
func (w *UnawaitedWarning) Error() string {
	if w.Err != nil {
		return w.text(Unawaited, ": "+w.Err.Error())
	}
	return w.text(Unawaited, "")
}

// Unwrap returns the error nobody saw.
func (w *UnawaitedWarning) Unwrap() error { return w.Err }

// A DeprecationWarning is about the use of what will go away.
type DeprecationWarning struct{ Info }

// Category returns Deprecation.
func (*DeprecationWarning) Category() Category { return Deprecation }

// Error renders the warning on one line.
func (w *DeprecationWarning) Error() string { return w.text(Deprecation, "") }

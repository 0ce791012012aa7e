package warnings

import "time"

// A Warning is an error that filters may turn into a log record. The types of
// this package are used as pointers, so errors.As finds them:
//
//	var w *warnings.BlockingWarning
//	if errors.As(err, &w) { ... }
//
// A warning type of another package embeds Info and adds Category and Error.
type Warning interface {
	error
	Category() Category // what OfCategory matches
	Details() *Info     // the embedded Info, not a copy
}

// Info is the part that all warnings have. Message is the same text for each kind of
// problem, because filters match it and repeats are recognized by it. Details of one
// call belong in the other fields.
type Info struct {
	Message   string
	Advice    string // what to do instead, in one sentence
	Statement string // the SQL, if any; Warn and Show shorten it and remove its values
	Site      Site   // where the application did it; set by Warn and Show if zero
}

// Details returns i.
func (i *Info) Details() *Info { return i }

// text renders the warning on one line.
func (i *Info) text(c Category, extra string) string {
	text := string(c)
	if !i.Site.IsZero() {
		text += " at " + i.Site.String()
	}
	text += ": " + i.Message + extra
	if i.Statement != "" {
		text += ": " + i.Statement
	}
	if i.Advice != "" {
		text += " (" + i.Advice + ")"
	}
	return text
}

// A BlockingWarning is about a call that blocks where it should not.
type BlockingWarning struct {
	Info
	Took time.Duration // how long it blocked; 0 if unknown
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

// A ResourceWarning is about something that was never closed. Its site is where it
// was made, as Caller returned it then.
type ResourceWarning struct{ Info }

// Category returns Resource.
func (*ResourceWarning) Category() Category { return Resource }

// Error renders the warning on one line.
func (w *ResourceWarning) Error() string { return w.text(Resource, "") }

// An UnawaitedWarning is about a future whose outcome nobody looked at. Its site
// is where the future was made.
type UnawaitedWarning struct {
	Info
	Err error // the future's error, if any
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

// Unwrap returns Err.
func (w *UnawaitedWarning) Unwrap() error { return w.Err }

// A DeprecationWarning is about the use of something that will be removed.
type DeprecationWarning struct{ Info }

// Category returns Deprecation.
func (*DeprecationWarning) Category() Category { return Deprecation }

// Error renders the warning on one line.
func (w *DeprecationWarning) Error() string { return w.text(Deprecation, "") }

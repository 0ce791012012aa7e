package reflectguard

// Read is IsReflection without the quick look at the words.
func Read(query string) bool { return isReflection(query) }

// Unmark makes the process one in which no context was ever marked.
func Unmark() { marking.Store(false) }

package reflectguard

// Read is IsReflection without the quick check of the words.
func Read(query string) bool { return isReflection(query) }

// Unmark resets the process to the state in which no context has been marked.
func Unmark() { marking.Store(false) }

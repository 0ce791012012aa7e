package sqltext

// MayWrite reports whether a text for SQLite may need the lock for writing, or begins a
// transaction that may.
func MayWrite(text string) bool {
	if ReadsOnly(text, SQLite) {
		return false
	}
	s := New(text, SQLite)
	t := s.NextSignificant()
	switch {
	case Several(text, SQLite):
		return true
	case t.IsAny("explain", "commit", "end", "rollback", "release"):
		return false
	case t.Is("pragma"):
		return pragmaWrites(&s)
	}
	return t.Kind != EOF
}

// pragmaWrites reports whether what follows PRAGMA is one that may change the file.
func pragmaWrites(s *Scanner) bool {
	name := s.NextSignificant()
	if t := s.NextSignificant(); t.IsPunct('.') || t.Text == "." {
		name = s.NextSignificant()
	}
	return name.IsAny("application_id", "auto_vacuum", "default_cache_size", "encoding", "incremental_vacuum", "journal_mode",
		"locking_mode", "optimize", "page_size", "schema_version", "user_version", "wal_checkpoint") || name.Kind != Word
}

package thread

// Starve makes the next n parks choose a channel.
func Starve(n int32) { starving.remain.Store(n) }

// Permitted returns how many workers are hot.
func Permitted() int32 { return permitted.Load() }

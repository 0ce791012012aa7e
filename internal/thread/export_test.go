package thread

// Crowd makes the next n parks choose a channel.
func Crowd(n int32) { crowd(n) }

// Permitted returns how many workers are hot.
func Permitted() int32 { return permitted.Load() }

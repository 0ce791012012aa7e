package face

// Options say how a face reads rows ahead.
type Options struct {
	Rows  int // most rows in a batch; 1 is strictly lazy
	Bytes int // most bytes of values in a batch
}

// Default is what a face uses without other options.
var Default = &Options{Rows: 256, Bytes: 1 << 20}

package debug

import "testing"

func TestAges(t *testing.T) {
	for seconds, want := range map[float64]string{
		0: "0 µs", 0.000032: "32 µs", 0.0042: "4 ms", 0.5: "500 ms", 1.58: "1.5 s", 59.99: "59.9 s", 60: "1 min 00 s", 3599: "59 min 59 s", 7384: "2 h 03 min",
	} {
		if got := age(seconds); got != want {
			t.Errorf("%v s is %s, want %s", seconds, got, want)
		}
	}
}

func TestTheEndOfADirectory(t *testing.T) {
	for file, want := range map[string]string{
		"/home/ann/shop/web/handlers.go": "shop/web/", "/handlers.go": "/", "handlers.go": "", "example.com/shop/a.go": "example.com/shop/",
	} {
		if got := dir(file); got != want {
			t.Errorf("%s: %s, want %s", file, got, want)
		}
	}
}

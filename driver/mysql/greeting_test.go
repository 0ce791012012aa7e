package mysql

import (
	"strings"
	"testing"
)

// packet is the start of an initial handshake as MariaDB 10.11 sends it.
const packet = "\x6e\x00\x00\x00\x0a5.5.5-10.11.19-MariaDB\x00\x2a\x01\x00\x00scramble\x00"

func TestGreeting(t *testing.T) {
	for _, c := range []struct {
		name, stream string
		id           uint32
		version      string
	}{
		{"MariaDB", packet, 298, "5.5.5-10.11.19-MariaDB"},
		{"an id of 32 bits", "\x10\x00\x00\x00\x0a8.4\x00\xff\xff\xff\xffrest", 1<<32 - 1, "8.4"},
		{"an empty version", "\x10\x00\x00\x00\x0a\x00\x01\x00\x00\x00", 1, ""},
		{"an error packet", "\x10\x00\x00\x00\xff\x10\x04too many connections", 0, ""},
		{"an old protocol", "\x10\x00\x00\x00\x093.23\x00\x01\x00\x00\x00", 0, ""},
		{"a version without end", "\x10\x00\x00\x00\x0a" + strings.Repeat("v", 2000), 0, ""},
		{"nothing", "", 0, ""},
		{"cut short", packet[:20], 0, ""},
	} {
		for _, piece := range []int{1, 3, 7, 4096} {
			var g greeting
			for s := c.stream; s != ""; {
				n := min(piece, len(s))
				g.feed([]byte(s[:n]))
				s = s[n:]
			}
			g.feed(nil)
			if g.id != c.id || g.version != c.version {
				t.Errorf("%s in pieces of %d: id %d, version %q, want %d, %q", c.name, piece, g.id, g.version, c.id, c.version)
			}
			if len(g.seen) > 2*greetingLimit {
				t.Errorf("%s in pieces of %d: %d bytes kept", c.name, piece, len(g.seen))
			}
		}
	}
}

// What comes after the greeting is not looked at, whatever it looks like.
func TestGreetingIsTheFirstPacketOnly(t *testing.T) {
	var g greeting
	g.feed([]byte(packet))
	g.feed([]byte("\x10\x00\x00\x00\x0a8.4\x00\x07\x00\x00\x00"))
	if g.id != 298 {
		t.Errorf("id %d, want 298", g.id)
	}
	if g.seen != nil {
		t.Error("bytes of the stream are kept after the greeting")
	}
}

func FuzzGreeting(f *testing.F) {
	f.Add([]byte(packet), 5)
	f.Fuzz(func(t *testing.T, p []byte, cut int) {
		var whole, parts greeting
		if len(p) > greetingLimit/2 {
			return // a limit counts pieces, not bytes
		}
		cut = min(max(cut, 0), len(p))
		whole.feed(p)
		parts.feed(p[:cut])
		parts.feed(p[cut:])
		if whole.id != parts.id || whole.version != parts.version {
			t.Errorf("whole: %d %q, in two parts: %d %q", whole.id, whole.version, parts.id, parts.version)
		}
	})
}

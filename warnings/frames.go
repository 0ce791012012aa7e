package warnings

import (
	"path"
	"runtime"
	"strings"
	"sync/atomic"
)

// module is the path of this module: its packages are not the application.
const module = "github.com/sqlaio/sqlaio"

// programs are the packages of the module that use it as an application does.
var programs = []string{"examples", "internal/test"}

// plumbing are packages of the standard library that call back what others gave
// them: never the line to look at.
var plumbing = []string{"runtime", "database/sql", "context", "internal", "iter", "reflect", "sync", "time"}

// A frame is what a program counter stands for.
type frame struct {
	pc             uintptr
	function, file string
	pkg            string
	line           int
	app            bool // the application's own
}

// frames caches frames by program counter. A slot holds any one that hashes to
// it; whoever finds another one there resolves its own and replaces it.
var frames [1 << frameBits]atomic.Pointer[frame]

const frameBits = 10

func frameOf(pc uintptr) *frame {
	slot := &frames[uint64(pc)*0x9E3779B97F4A7C15>>(64-frameBits)]
	if f := slot.Load(); f != nil && f.pc == pc {
		return f
	}
	f := resolve(pc)
	slot.Store(f)
	return f
}

func resolve(pc uintptr) *frame {
	rf, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	pkg := packageOf(rf.Function)
	return &frame{
		pc: pc, function: rf.Function, file: rf.File, pkg: pkg, line: rf.Line,
		app: rf.Function != "" && isApp(pkg, rf.File),
	}
}

// packageOf cuts the import path off a function's name, in which dots of the
// path's last element are escaped.
func packageOf(function string) string {
	function, _, _ = strings.Cut(function, "[") // type arguments may hold paths
	slash := strings.LastIndexByte(function, '/') + 1
	name, _, _ := strings.Cut(function[slash:], ".")
	return function[:slash] + strings.ReplaceAll(name, "%2e", ".")
}

// isApp reports whether code of that package and file is the application's. A
// package's tests may be in the package itself, so the file tells.
func isApp(pkg, file string) bool {
	if strings.HasSuffix(path.Base(file), "_test.go") {
		return true
	}
	if pkg == module {
		return false
	}
	if dir, ok := strings.CutPrefix(pkg, module+"/"); ok {
		return within(dir, programs)
	}
	return !within(pkg, plumbing)
}

// within reports whether pkg is one of the packages or below one.
func within(pkg string, packages []string) bool {
	for _, p := range packages {
		if rest, ok := strings.CutPrefix(pkg, p); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// caller finds the innermost frame of the application's. Most stacks show it
// among the first frames; looking deeper means to begin again.
func caller() Site {
	var near [16]uintptr
	n := runtime.Callers(2, near[:])
	if s := firstApp(near[:n]); !s.IsZero() || n < len(near) {
		return s
	}
	return deepCaller(2 + len(near))
}

// deepCaller gives up after some hundred frames: recursion within the plumbing.
func deepCaller(skip int) Site {
	skip++ // its own frame
	for range 8 {
		var deep [64]uintptr
		n := runtime.Callers(skip, deep[:])
		if s := firstApp(deep[:n]); !s.IsZero() || n < len(deep) {
			return s
		}
		skip += n
	}
	return Site{}
}

func firstApp(pcs []uintptr) Site {
	for _, pc := range pcs {
		if frameOf(pc).app {
			return Site{pc}
		}
	}
	return Site{}
}

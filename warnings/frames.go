package warnings

import (
	"path"
	"runtime"
	"strings"
	"sync/atomic"
)

// module is this module's path. Its packages are not the application.
const module = "github.com/sqlaio/sqlaio"

// programs are the packages of the module that use it as an application does.
var programs = []string{"examples", "internal/test"}

// plumbing are standard library packages that call functions given to them. A call
// site is never in one of them.
var plumbing = []string{"runtime", "database/sql", "context", "internal", "iter", "reflect", "sync", "time"}

// A frame describes a program counter.
type frame struct {
	pc             uintptr
	function, file string
	pkg            string
	line           int
	app            bool // belongs to the application
}

// frames caches frames by program counter. Frames with the same hash replace each
// other in their slot.
var frames [1 << frameBits]atomic.Pointer[frame]

const frameBits = 10

// frameOf returns an empty frame for pc 0.
func frameOf(pc uintptr) *frame {
	slot := &frames[uint64(pc)*0x9E3779B97F4A7C15>>(64-frameBits)]
	if f := slot.Load(); f != nil && f.pc == pc {
		return f
	}
	rf, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	pkg := packageOf(rf.Function)
	f := &frame{
		pc: pc, function: rf.Function, file: rf.File, pkg: pkg, line: rf.Line,
		app: rf.Function != "" && isApp(pkg, rf.File),
	}
	slot.Store(f)
	return f
}

// packageOf returns the import path in a function's name, where dots in the last
// element of the path are escaped.
func packageOf(function string) string {
	function, _, _ = strings.Cut(function, "[") // type arguments may contain paths
	slash := strings.LastIndexByte(function, '/') + 1
	name, _, _ := strings.Cut(function[slash:], ".")
	return function[:slash] + strings.ReplaceAll(name, "%2e", ".")
}

// isApp reports whether code in that package and file belongs to the application.
// Tests may be in a package of the module itself, so the file name decides.
func isApp(pkg, file string) bool {
	if strings.HasSuffix(path.Base(file), "_test.go") {
		return true
	}
	if dir, ok := strings.CutPrefix(pkg, module+"/"); ok {
		return within(dir, programs...)
	}
	return pkg != module && !within(pkg, plumbing...)
}

// within reports whether pkg is one of the packages or below one.
func within(pkg string, packages ...string) bool {
	for _, p := range packages {
		if rest, ok := strings.CutPrefix(pkg, p); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

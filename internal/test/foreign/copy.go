package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"
)

//go:embed testdata/*.tmpl
var templateFiles embed.FS

var templates = template.Must(template.ParseFS(templateFiles, "testdata/*.tmpl"))

const shimModule = "github.com/sqlaio/sqlaio"

// source is a module in the module cache.
type source struct{ Dir, Version string }

// find locates a suite in the version that the go.mod of root names, and
// downloads it if need be.
func find(ctx context.Context, root string, s suite) (source, error) {
	var src source
	version := s.version
	out, err := command(ctx, root, nil, "go", "list", "-m", "-f", "{{.Version}}", s.module).Output()
	switch {
	case err == nil:
		version = string(bytes.TrimSpace(out))
	case version == "":
		return src, explain(err)
	}
	out, err = command(ctx, root, nil, "go", "mod", "download", "-json", s.module+"@"+version).Output()
	if err != nil {
		return src, explain(err)
	}
	return src, json.Unmarshal(out, &src)
}

// bareCopy copies a suite as it is: the module cache is read-only, and some
// tests write to their directory.
func bareCopy(src source, dir string) error {
	return os.CopyFS(dir, os.DirFS(src.Dir))
}

// shimCopy copies a suite and sends its calls of sql.Open, sql.OpenDB and
// Conn.Raw through variables. It returns how many there are.
func shimCopy(src source, s suite, dir string) (calls int, err error) {
	if err := os.CopyFS(dir, os.DirFS(src.Dir)); err != nil {
		return 0, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		text, n, err := redirect(text, s.pkg)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		if n == 0 {
			continue
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return 0, err
		}
		calls += n
	}
	if calls == 0 {
		return 0, fmt.Errorf("%s opens no database where it was expected to", s.name)
	}
	return calls, render(filepath.Join(dir, "shim_hook.go"), "hook.go.tmpl", s, "")
}

// redirect replaces the calls in a file of package pkg and counts them. It
// leaves other packages alone.
func redirect(text []byte, pkg string) ([]byte, int, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", text, parser.SkipObjectResolution)
	if err != nil || file.Name.Name != pkg {
		return text, 0, err
	}
	offset := func(pos token.Pos) int { return fset.Position(pos).Offset }
	var out []byte
	calls, done := 0, 0
	replace := func(from, to token.Pos, with string) {
		out = append(append(out, text[done:offset(from)]...), with...)
		done = offset(to)
		calls++
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		fun, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		on := string(text[offset(fun.X.Pos()):offset(fun.X.End())])
		switch {
		case on == "sql" && (fun.Sel.Name == "Open" || fun.Sel.Name == "OpenDB"):
			replace(fun.Pos(), fun.End(), "Shim"+fun.Sel.Name)
		case fun.Sel.Name == "Raw" && len(call.Args) == 1 && isFuncLit(call.Args[0]):
			replace(fun.Pos(), call.Lparen+1, "ShimRaw("+on+", ")
		}
		return true
	})
	if calls == 0 {
		return text, 0, nil
	}
	// The import may have lost its last use.
	return append(append(out, text[done:]...), "\nvar _ *sql.DB\n"...), calls, nil
}

func isFuncLit(e ast.Expr) bool {
	_, is := e.(*ast.FuncLit)
	return is
}

// useShim adds the test file that opens databases through the shim, with or
// without the adapter.
func useShim(dir string, s suite, adapter bool) error {
	path := s.adapter
	if !adapter {
		path = ""
	}
	return render(filepath.Join(dir, "shim_hook_test.go"), "shim_test.go.tmpl", s, path)
}

func render(file, name string, s suite, adapter string) error {
	var text bytes.Buffer
	err := templates.ExecuteTemplate(&text, name, map[string]string{
		"Package": s.pkg, "Module": s.module, "Shim": shimModule, "Adapter": adapter,
	})
	if err != nil {
		return err
	}
	return os.WriteFile(file, text.Bytes(), 0o644)
}

// workspace makes a go.work that builds dir with the shim in root, and root
// with the copy in dir. It returns the environment that selects it.
func workspace(ctx context.Context, file, root, dir string) ([]string, error) {
	env := []string{"GOWORK=" + file}
	if _, err := command(ctx, filepath.Dir(file), env, "go", "work", "init", root, dir).Output(); err != nil {
		return nil, explain(err)
	}
	return env, nil
}

// command prepares a command in dir with more environment. It ends with ctx.
func command(ctx context.Context, dir string, env []string, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

// explain adds what a command wrote to its standard error.
func explain(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
	}
	return err
}

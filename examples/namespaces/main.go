//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"strings"
	"syscall"
)

func main() {
	log.SetFlags(0)
	if why := missing(); why != "" {
		fmt.Println("skipped:", why)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); errors.Is(err, errNoNamespaces) {
		fmt.Println("skipped:", err)
	} else if err != nil {
		log.Fatal(err)
	}
}

// missing says what the program needs but does not have, if anything.
func missing() string {
	if os.Geteuid() != 0 {
		return "making and entering network namespaces requires root"
	}
	for _, tool := range []string{"ip", "mariadbd", "mariadb-install-db"} {
		if _, err := exec.LookPath(tool); err != nil {
			return tool + " is not installed"
		}
	}
	if _, err := user.Lookup("mysql"); err != nil {
		return "MariaDB's user mysql does not exist"
	}
	return ""
}

var errNoNamespaces = errors.New("network namespaces cannot be made here")

// makeNamespace makes a named namespace with a loopback device that is up.
func makeNamespace(name string) (remove func() error, err error) {
	if err := ip("netns", "add", name); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoNamespaces, err)
	}
	remove = func() error { return ip("netns", "del", name) }
	if err := ip("-n", name, "link", "set", "lo", "up"); err != nil {
		return nil, errors.Join(err, remove())
	}
	return remove, nil
}

func ip(args ...string) error {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

func run(ctx context.Context) (err error) {
	inside := fmt.Sprintf("sqlaio-%d", os.Getpid())
	empty := inside + "-empty"
	for _, name := range []string{inside, empty} {
		remove, err := makeNamespace(name)
		if err != nil {
			return err
		}
		defer func() {
			if err := remove(); err != nil {
				log.Print(err)
			}
		}()
	}
	fmt.Printf("Starting a MariaDB that listens only in the namespace %s.\n", inside)
	s, err := startServer(ctx, inside)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	return show(ctx, inside, empty)
}

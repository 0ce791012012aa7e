package main

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// dieWithParent has the kernel kill the process when this one is gone.
func dieWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}

// ownMounts gives a child a mount namespace of its own, so that what it mounts
// vanishes with it. Who is not root becomes it in a user namespace.
func ownMounts(c *child) {
	attr := c.cmd.SysProcAttr
	attr.Unshareflags |= syscall.CLONE_NEWNS
	if uid := os.Getuid(); uid != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
}

// mountSmall mounts a file system of a few bytes in memory.
func mountSmall(dir, size string) error {
	return syscall.Mount("faults", dir, "tmpfs", 0, "size="+size)
}

// limitDescriptors sets how many descriptors the process may have open, and
// returns what sets the old limit again.
func limitDescriptors(n int) (restore func() error, err error) {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		return nil, err
	}
	limit := old
	limit.Cur = uint64(n)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil, err
	}
	return func() error { return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old) }, nil
}

// asServer has the process run as the user mysql if this one is root, whom
// mariadbd does not serve. It returns the user's ids for its directory.
func asServer(cmd *exec.Cmd) (uid, gid int, err error) {
	if os.Getuid() != 0 {
		return os.Getuid(), os.Getgid(), nil
	}
	u, err := user.Lookup("mysql")
	if err != nil {
		return 0, 0, err
	}
	if uid, err = strconv.Atoi(u.Uid); err != nil {
		return 0, 0, err
	}
	if gid, err = strconv.Atoi(u.Gid); err != nil {
		return 0, 0, err
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return uid, gid, nil
}

// threads returns how many threads the process has.
func threads() int { return entries("/proc/self/task") }

func entries(dir string) int {
	all, err := os.ReadDir(dir)
	if err != nil {
		return -1
	}
	return len(all)
}

// descriptors returns what the open descriptors of the process are, by number.
func descriptors() map[int]string {
	open := make(map[int]string)
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return open
	}
	for _, entry := range all {
		n, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		// The directory's own is closed by now.
		if what, err := os.Readlink("/proc/self/fd/" + entry.Name()); err == nil {
			open[n] = what
		}
	}
	return open
}

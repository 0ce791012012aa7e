// Command namespaces puts the threads of connections into network namespaces
// and reaches a MariaDB that listens only there.
//
//	sudo go run ./examples/namespaces
//
// It needs Linux, root, ip (of iproute2) and a MariaDB installation. It makes two
// namespaces and starts a server of its own in one of them, and removes all
// of it at the end, also after SIGINT and SIGTERM. Where something is missing it says so and ends.
//
// # What runs in the namespace
//
// A socket belongs to the namespace of the thread that makes it. The shim opens a
// connection on the connection's thread, and net.Dialer makes the socket in the goroutine
// that calls it if the address is an IP address. For a host name it does not: names
// are looked up, and IPv4 and IPv6 tried, in goroutines on any thread.
//
// Package driver/mysql cancels with KILL QUERY on a second connection, which is
// opened by whoever's context has ended: not on the thread, and
// not in the namespace. Then the server is not found, and the connection is
// closed, as the bare driver does. A dialer that enters the namespace itself
// (dialIn) makes sure of both.
package main

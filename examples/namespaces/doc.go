// Command namespaces puts the threads of connections into network namespaces
// and reaches a MariaDB that listens only there.
//
//	sudo go run ./examples/namespaces
//
// It needs Linux, root, ip (from iproute2) and a MariaDB installation, and says so if
// one is missing. It makes two namespaces and starts its own server in one of
// them. At the end, and after SIGINT and SIGTERM, it removes all of that.
//
// # What runs in the namespace
//
// A socket belongs to the namespace of the thread that makes it. The shim opens a
// connection on the connection's thread. For an IP address, net.Dialer makes the socket
// in the goroutine that calls it, so on that thread. For a host name it does not: it
// looks up the name, and tries IPv4 and IPv6, in goroutines on any thread.
//
// Package driver/mysql cancels with KILL QUERY on a second connection, which is not
// opened on the thread, and so not in the namespace. The server is not found there, and
// the connection is closed, as the bare driver does. A dialer that itself enters the
// namespace (dialIn) works for both connections.
package main

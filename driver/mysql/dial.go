package mysql

import (
	"context"
	"net"

	"github.com/go-sql-driver/mysql"
)

func init() {
	for _, network := range []string{"tcp", "tcp4", "tcp6", "unix"} {
		mysql.RegisterDialContext(network, dialer(network))
	}
}

// dialer dials as the driver does for a network without a registered dialer, and
// wraps the connection.
func dialer(network string) mysql.DialContextFunc {
	return func(ctx context.Context, addr string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return WrapConn(c), nil
	}
}

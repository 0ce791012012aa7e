package cluster

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// nodes connects to the nodes in turn, and leaves out those that do not answer:
// what a program would have a load balancer or its driver do.
type nodes struct {
	configs    []*mysql.Config
	connectors []driver.Connector
	next       atomic.Int64
}

// clusterOf returns the nodes that the tests may use, and kill.
func clusterOf(t *testing.T) *nodes {
	t.Helper()
	dsns := strings.Fields(os.Getenv("SQLAIO_GALERA"))
	if len(dsns) == 0 {
		t.Skip("SQLAIO_GALERA is not set: run the test with `make cluster`, which starts a Galera cluster")
	}
	n := new(nodes)
	for _, dsn := range dsns {
		cfg, err := mysql.ParseDSN(dsn)
		must(t, err)
		cfg.Timeout = 2 * time.Second
		cfg.Logger = &mysql.NopLogger{} // connections break on purpose
		c, err := mysql.NewConnector(cfg)
		must(t, err)
		n.configs, n.connectors = append(n.configs, cfg), append(n.connectors, c)
	}
	return n
}

func (n *nodes) Connect(ctx context.Context) (driver.Conn, error) {
	var failed []error
	first := int(n.next.Add(1))
	for i := range n.connectors {
		c, err := n.connectors[(first+i)%len(n.connectors)].Connect(ctx)
		if err == nil {
			return c, nil
		}
		failed = append(failed, err)
	}
	return nil, errors.Join(failed...)
}

func (n *nodes) Driver() driver.Driver { return &mysql.MySQLDriver{} }

// patient returns the DSN of a node, for a connection whose reads wait until the
// node has all that was committed before on any.
func (n *nodes) patient(node int) string {
	cfg := n.configs[node].Clone()
	cfg.Params = map[string]string{"wsrep_sync_wait": "1"}
	return cfg.FormatDSN()
}

// kill and restart are scripts/galera's.
func (n *nodes) kill(t *testing.T, node int)    { galera(t, "kill", node) }
func (n *nodes) restart(t *testing.T, node int) { galera(t, "restart", node) }

func galera(t *testing.T, command string, node int) {
	t.Helper()
	out, err := exec.Command("../../../scripts/galera", command, strconv.Itoa(node+1)).CombinedOutput()
	if err != nil {
		t.Fatalf("scripts/galera %s %d: %v\n%s", command, node+1, err, out)
	}
}

// cutOff separates a node from the others, and waits until it knows.
func (n *nodes) cutOff(t *testing.T, node int) { n.isolate(t, node, "1", "OFF") }

// rejoin ends that.
func (n *nodes) rejoin(t *testing.T, node int) { n.isolate(t, node, "0", "ON") }

func (n *nodes) isolate(t *testing.T, node int, isolate, ready string) {
	t.Helper()
	db, err := sql.Open("mysql", n.configs[node].FormatDSN())
	must(t, err)
	defer db.Close()
	_, err = db.Exec("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=" + isolate + "'")
	must(t, err)
	eventually(t, func() bool {
		var name, value string
		must(t, db.QueryRow("SHOW STATUS LIKE 'wsrep_ready'").Scan(&name, &value))
		return value == ready
	}, "wsrep_ready is "+ready)
}

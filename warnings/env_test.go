package warnings_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sqlaio/sqlaio/warnings"
)

// envChild is set to make this program warn instead of running its tests.
const envChild = "WARNINGS_TEST_CHILD"

func warnAsChild() {
	for range 2 {
		fmt.Println("blocking:", warnings.Warn(blocking("m")) != nil)
		warnings.Show(&warnings.ResourceWarning{Info: warnings.Info{Message: "left open"}})
	}
}

func child(t *testing.T, value string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envChild+"=1", warnings.EnvVar+"="+value)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func TestTheEnvironmentSetsFilters(t *testing.T) {
	out := child(t, "error::BlockingWarning,ignore::ResourceWarning")
	if out != "blocking: true\nblocking: true\n" {
		t.Errorf("%s", out)
	}
	if out := child(t, "error"); strings.Count(out, "blocking: true") != 2 || strings.Count(out, "left open") != 1 {
		t.Errorf("%s", out)
	}
	if out := child(t, ""); strings.Count(out, "blocking: false") != 2 || strings.Count(out, "left open") != 1 {
		t.Errorf("%s", out)
	}
}

func TestAMalformedEntryIsReportedOnceAndTheOthersApply(t *testing.T) {
	out := child(t, "eror::BlockingWarning,ignore::ResourceWarning,a:b:c:d:e,error::Warnung")
	if strings.Count(out, `\"eror::BlockingWarning\": no action \"eror\"`) != 1 ||
		strings.Count(out, `\"error::Warnung\": no category \"Warnung\" (there are [BlockingWarning ResourceWarning `) != 1 ||
		strings.Count(out, "more fields than") != 1 || strings.Contains(out, "left open") {
		t.Errorf("%s", out)
	}
}

func TestEntries(t *testing.T) {
	for _, c := range []struct {
		value string
		want  warnings.Action
	}{
		{"", warnings.Default},
		{"error", warnings.Error},
		{"e", warnings.Error},
		{"ERROR", warnings.Error},
		{" error :: BlockingWarning ", warnings.Error},
		{"error::blockingwarning", warnings.Error},
		{"error::Warning", warnings.Error},
		{"error::ResourceWarning", warnings.Default},
		{"error:Blocking REFL", warnings.Error},
		{"error:reflection", warnings.Default},
		{"error:blocking .*", warnings.Default},
		{"error:::" + here, warnings.Error},
		{"error:::github.com/sqlaio/...", warnings.Error},
		{"error:::github.com/sqlaio", warnings.Default},
		{"error,ignore", warnings.Ignore},
		{"ignore,error", warnings.Error},
		{"error,::BlockingWarning", warnings.Default},
		{"error::Blocking", warnings.Default}, // no such category
		{",,error,", warnings.Error},
	} {
		t.Run(c.value, func(t *testing.T) {
			warnings.WithEnv(t, c.value)
			if got := decide("blocking reflection"); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func FuzzParseEnv(f *testing.F) {
	for _, s := range []string{"", "error::BlockingWarning", "e:(:x", "error:\xff", ":::::", ",", "error:a:b:c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		n, malformed := warnings.ParseEnv(value)
		if entries := strings.Count(value, ",") + 1; n+len(malformed) > entries {
			t.Errorf("%d filters and %d errors of %d entries", n, len(malformed), entries)
		}
	})
}

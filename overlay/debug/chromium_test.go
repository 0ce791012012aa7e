package debug_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"
)

// A browser is a headless Chromium with one page, driven through a pair of pipes by the
// DevTools protocol. One goroutine uses it.
type browser struct {
	t       *testing.T
	to      *os.File
	from    *os.File
	answers *bufio.Reader
	session string
	last    int
	trouble []string // what the page has reported: exceptions, violations
}

// newBrowser starts a browser, or skips the test.
func newBrowser(t *testing.T, width, height int) *browser {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("no browser: it cannot be given pipes here")
	}
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		t.Skip("no chromium on the PATH: as root on Debian, make deps installs it")
	}
	b := &browser{t: t}
	b.start(program)
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
	return b
}

// start starts a browser. If that does not answer, the test is skipped: the machine is
// too busy for one.
func (b *browser) start(program string) {
	b.t.Helper()
	theirs, to, err := os.Pipe()
	if err != nil {
		b.t.Fatal(err)
	}
	from, answers, err := os.Pipe()
	if err != nil {
		b.t.Fatal(err)
	}
	profile, err := os.MkdirTemp("", "sqlaio-chromium")
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run", "--hide-scrollbars",
		"--remote-debugging-pipe", "--user-data-dir="+profile, "about:blank")
	cmd.ExtraFiles = []*os.File{theirs, answers}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	theirs.Close()
	answers.Close()
	b.to, b.from, b.answers = to, from, bufio.NewReader(from)
	end := func() {
		cmd.Process.Kill() // an error says that it has ended
		cmd.Wait()
		to.Close()
		from.Close()
		for range 100 { // its own children may still write
			if os.RemoveAll(profile) == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	if _, err := b.try("Browser.getVersion", nil, 30*time.Second); err != nil {
		end()
		b.t.Skipf("%s was started, and did not answer: %v", program, err)
	}
	b.t.Cleanup(func() {
		b.session = ""
		b.try("Browser.close", nil, 5*time.Second) // and with it its children
		end()
	})
}

// call makes a call of the protocol.
func (b *browser) call(method string, params map[string]any, result any) {
	b.t.Helper()
	answer, err := b.try(method, params, 20*time.Second)
	if err == nil && result != nil {
		err = json.Unmarshal(answer, result)
	}
	if err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
}

// try makes a call, and notes the events that come before the answer.
func (b *browser) try(method string, params map[string]any, patience time.Duration) (json.RawMessage, error) {
	b.last++
	message := map[string]any{"id": b.last, "method": method}
	if params != nil {
		message["params"] = params
	}
	if b.session != "" {
		message["sessionId"] = b.session
	}
	text, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		return nil, err
	}
	if err := b.from.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	for {
		text, err := b.answers.ReadBytes(0)
		if err != nil {
			return nil, err
		}
		var answer struct {
			ID     int
			Method string
			Error  *struct{ Message string }
			Result json.RawMessage
		}
		if err := json.Unmarshal(text[:len(text)-1], &answer); err != nil {
			return nil, err
		}
		switch {
		case answer.Method == "Runtime.exceptionThrown", answer.Method == "Log.entryAdded":
			b.trouble = append(b.trouble, string(text[:len(text)-1]))
		case answer.ID != b.last:
		case answer.Error != nil:
			return nil, errors.New(answer.Error.Message)
		default:
			return answer.Result, nil
		}
	}
}

// ask returns the value of an expression in the page.
func ask[T any](b *browser, expression string) (v T) {
	b.t.Helper()
	var answer struct {
		Result struct {
			Value       json.RawMessage
			Description string
		}
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &answer)
	if answer.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, answer.Result.Description)
	}
	if err := json.Unmarshal(answer.Result.Value, &v); err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits for an expression in the page to come true.
func (b *browser) until(expression string) {
	b.t.Helper()
	for begun := time.Now(); !ask[bool](b, expression); time.Sleep(20 * time.Millisecond) {
		if time.Since(begun) > 15*time.Second {
			b.t.Fatalf("not true: %s\n%s", expression, ask[string](b, "document.body.innerText"))
		}
	}
}

// open loads a page, and waits until it is there.
func (b *browser) open(url string) {
	b.t.Helper()
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	b.until(fmt.Sprintf("location.href == %q && document.readyState == 'complete'", url))
}

// picture writes what the page looks like to a file.
func (b *browser) picture(file string) {
	b.t.Helper()
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(file, png, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Logf("a picture of the page: %s (%d KiB)", file, len(png)>>10)
}

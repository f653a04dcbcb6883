package external

import (
	"bufio"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugintest"
)

func newStderrLog() *slog.Logger { return slog.New(slog.NewTextHandler(os.Stderr, nil)) }

// A host that is killed leaves no process behind, whatever state that is in.
func TestAKilledHostLeavesNothing(t *testing.T) {
	for how, flaw := range map[string]string{"running": "grandchild", "stopped": "grandchild", "in another group": "leaves its group"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			promised(t, "until nothing is left", time.Second, func() time.Duration {
				host, guest, grandchild := startHost(t, flaw)
				if how == "stopped" {
					_ = syscall.Kill(guest, syscall.SIGSTOP)
				}
				killed := time.Now()
				_ = host.Process.Kill()
				_ = host.Wait()
				for _, pid := range []int{guest, grandchild} {
					plugintest.Eventually(t, "end of a process", func() bool { return !alive(pid) })
				}
				return time.Since(killed)
			})
		})
	}
}

func startHost(t *testing.T, flaw string) (host *exec.Cmd, guest, grandchild int) {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	host = exec.Command(path, "host", flaw)
	host.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the guest may join it
	host.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	stdout, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := host.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Process.Kill() })
	for lines := bufio.NewScanner(stderr); grandchild == 0 && lines.Scan(); {
		if _, after, found := strings.Cut(lines.Text(), "grandchild "); found {
			digits, _, _ := strings.Cut(after, `"`)
			grandchild = number(t, digits)
		}
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return host, number(t, strings.TrimSpace(line)), grandchild
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

package servers

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var owned = map[string]func(testing.TB) *Server{"postgres": OwnPostgres, "mariadb": OwnMariaDB}

// TestServers: a server answers, keeps what it committed over a kill, stops
// while it is paused, and runs as nobody's root.
func TestServers(t *testing.T) {
	for name, own := range owned {
		t.Run(name, func(t *testing.T) {
			s := own(t)
			database := s.Database(t)
			s.Exec(t, database, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)")
			for pid := range s.working(t) {
				if status, _ := os.ReadFile("/proc/" + pid + "/status"); s.as != nil && !strings.Contains(string(status), "\nUid:\t"+fmt.Sprint(s.as.Uid)+"\t") {
					t.Errorf("process %s runs as another user: %s", pid, status)
				}
			}
			s.Kill(t)
			if left := s.working(t); len(left) > 0 {
				t.Errorf("%d processes are left after a kill", len(left))
			}
			s.Start(t)
			resume := s.Pause(t)
			db, answered := s.DB(t, database), make(chan int)
			go func() {
				var n int
				if err := db.QueryRow("SELECT n FROM kept").Scan(&n); err != nil {
					t.Error(err)
				}
				answered <- n
			}()
			select {
			case <-answered:
				t.Error("a paused server answered")
			case <-time.After(200 * time.Millisecond):
			}
			resume()
			if n := <-answered; n != 7 {
				t.Errorf("got %d, want 7", n)
			}
		})
	}
}

// TestCertificates: the certificate of PostgreSQL is valid for localhost and
// for no other name, and only by its own authority.
func TestCertificates(t *testing.T) {
	s := Postgres(t)
	for _, test := range []struct {
		name, ca string
		good     bool
	}{{"localhost", s.CA, true}, {"127.0.0.1", s.CA, true}, {"db.example", s.CA, false}, {"localhost", s.OtherCA, false}} {
		text, err := os.ReadFile(test.ca)
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(text)
		certificate, err := tls.LoadX509KeyPair(filepath.Join(s.Folder, "server.pem"), filepath.Join(s.Folder, "server.key"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := certificate.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: test.name}); (err == nil) != test.good {
			t.Errorf("%s by %s: %v", test.name, filepath.Base(test.ca), err)
		}
	}
}

// leaving is what a second process of this test does with its servers.
const leaving = "ATOLL_TEST_SERVERS_LEAVING"

// TestNothingIsLeft: another process starts a server, and returns, panics or is
// killed.
func TestNothingIsLeft(t *testing.T) {
	if how := os.Getenv(leaving); how != "" {
		leave(t, how)
		return
	}
	Postgres(t) // or there are none
	MariaDB(t)
	for _, how := range []string{"postgres return", "mariadb panic", "postgres killed"} {
		t.Run(how, func(t *testing.T) {
			c := exec.Command(os.Args[0], "-test.run", "^TestNothingIsLeft$", "-test.v")
			c.Env = append(os.Environ(), leaving+"="+how)
			out, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			var folder string
			lines := bufio.NewScanner(out)
			for lines.Scan() {
				if found, ok := strings.CutPrefix(lines.Text(), "folder "); ok {
					folder = found
					if strings.HasSuffix(how, "killed") {
						c.Process.Kill()
					}
				}
			}
			c.Wait()
			if folder == "" {
				t.Fatal("no server was started")
			}
			s := &Server{Folder: folder}
			deadline := time.Now().Add(time.Minute)
			for !gone(folder) || len(s.working(t)) > 0 {
				if time.Now().After(deadline) {
					t.Fatalf("left: %s, processes %v", folder, s.working(t))
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
}

func gone(folder string) bool {
	_, err := os.Stat(folder)
	return os.IsNotExist(err)
}

func leave(t *testing.T, how string) {
	kind, how, _ := strings.Cut(how, " ")
	s := map[string]func(testing.TB) *Server{"postgres": Postgres, "mariadb": MariaDB}[kind](t)
	s.Exec(t, s.Database(t), "CREATE TABLE kept (n int)")
	fmt.Println("\nfolder " + s.Folder)
	switch how {
	case "panic":
		go panic("as a test may")
		select {}
	case "killed":
		select {}
	}
}

// working returns the processes that work in the folder of a server.
func (s *Server) working(t *testing.T) map[string]bool {
	found := map[string]bool{}
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil || len(links) == 0 {
		t.Fatal("no /proc: ", err)
	}
	for _, link := range links {
		if where, err := os.Readlink(link); err == nil && strings.HasPrefix(where, s.Folder) {
			found[strings.Split(link, "/")[2]] = true
		}
	}
	return found
}

//go:build linux

package main_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// serverVariable makes this test binary be the benchmarks' server, in a
// process of its own so that it shares no scheduler and no heap with what is
// measured. Its value is the time to wait before each answer.
const serverVariable = "DISTEVAL_BENCH_SERVER"

func init() {
	value, wanted := os.LookupEnv(serverVariable)
	if !wanted {
		return
	}
	delay, err := time.ParseDuration(value)
	if err == nil {
		err = serve(delay)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// serve speaks Ollama's protocol on a free port of loopback, prints the
// address, and lives until standard input ends, that is, no longer than the
// benchmark.
func serve(delay time.Duration) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return http.Serve(l, benchMux(delay))
}

func benchMux(delay time.Duration) http.Handler {
	mux := http.NewServeMux()
	for path, body := range map[string]string{
		"/api/version": `{"version":"0.17.4"}`,
		"/api/tags":    `{"models":[{"name":"bench:latest","model":"bench:latest","digest":"` + strings.Repeat("0", 64) + `","size":1}]}`,
		"/api/show":    `{"model_info":{"general.architecture":"llama","llama.context_length":2048},"details":{"parameter_size":"1M"}}`,
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
	}
	answer := streamed(" is Paris, a city that many people know.")
	loaded := []byte(`{"model":"bench","response":"","done":true,"done_reason":"load"}` + "\n")
	mux.HandleFunc("/api/generate", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		if !bytes.Contains(body, []byte(`"prompt":"`)) || bytes.Contains(body, []byte(`"prompt":""`)) {
			_, _ = w.Write(loaded)
			return
		}
		time.Sleep(delay)
		_, _ = w.Write(answer)
	})
	return mux
}

// streamed is a reply as Ollama streams it: a line a word, then the figures.
func streamed(reply string) []byte {
	const head = `{"model":"bench","created_at":"2026-01-02T15:04:05.123456789Z","response":"`
	var b bytes.Buffer
	words := strings.SplitAfter(reply, " ")[1:]
	for _, word := range words {
		fmt.Fprintf(&b, head+" %s"+`","done":false}`+"\n", strings.TrimSpace(word))
	}
	fmt.Fprintf(&b, head+`","done":true,"done_reason":"stop","total_duration":5000000,"load_duration":1000000,`+
		`"prompt_eval_count":6,"prompt_eval_duration":1000000,"eval_count":%d,"eval_duration":3000000}`+"\n", len(words))
	return b.Bytes()
}

// startServer starts the server and returns its address.
func startServer(b *testing.B, delay time.Duration) string {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), serverVariable+"="+delay.String())
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close() // that ends it
		_ = cmd.Wait()
	})
	var address string
	if _, err := fmt.Fscanln(out, &address); err != nil {
		b.Fatalf("the server says no address: %v", err)
	}
	return address
}

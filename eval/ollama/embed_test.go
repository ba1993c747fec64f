package ollama_test

import (
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestEmbed(t *testing.T) {
	var status int
	var answer string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	defer server.Close()
	e := client(t, server.URL).Embedder("nomic")

	// A null is NaN, and a number too large infinite: neither may pass for a figure.
	status, answer = 200, `{"embeddings": [[0.5, null, 1e99], [1, 2, 3]]}`
	v, err := e.Embed(t.Context(), []string{"a", "b"})
	if err != nil || len(v) != 2 || v[0][0] != 0.5 || !math.IsNaN(float64(v[0][1])) || !math.IsInf(float64(v[0][2]), 1) || v[1][2] != 3 {
		t.Errorf("vectors %v, %v", v, err)
	}
	for _, test := range []struct {
		status int
		answer string
		want   string
	}{
		{200, `{"embeddings": [[NaN]]}`, "invalid character 'N'"},
		{200, `{"embeddings": [["x"]]}`, `"x" is not a number`},
		{400, `{"error": "the input length exceeds the context length"}`, "the input length exceeds the context length"},
	} {
		status, answer = test.status, test.answer
		_, err := e.Embed(t.Context(), []string{"a"})
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "embed 1 texts with nomic at http://127.0.0.1:") {
			t.Errorf("%d %s: error %v, want %q", test.status, test.answer, err, test.want)
		}
	}
}

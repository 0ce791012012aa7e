package tour

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sqlaio/sqlaio/overlay/debug"
)

func TestPageForOperators(t *testing.T) {
	engine := engine(t)
	operators := http.NewServeMux()
	operators.Handle("/debug/sqlaio", debug.Handler(engine))

	w := httptest.NewRecorder()
	operators.ServeHTTP(w, httptest.NewRequest("GET", "/debug/sqlaio", nil))
	if w.Code != 200 {
		t.Error(w.Code, w.Body)
	}
}

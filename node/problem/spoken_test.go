package problem

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

func TestChinese(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "zh": true, "zh-CN,zh;q=0.9,en;q=0.8": true, "en-GB,en;q=0.9,zh;q=0.8": false, "ZH-Hant-TW": true, "fr, zh;q=0.5": true, "zh;q=0": false,
		"en;q=0.3, zh;q=0.7": true, "zh;q=0.3, en;q=0.7": false, "zh,en": true, "en,zh": false, "zhuang": false, "zh;q=x": false, "zh;q=NaN": false, "*": false, "zh; q=0.5": true,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Language", header)
		if Chinese(r) != want {
			t.Errorf("%q: %t", header, !want)
		}
	}
}

// wrapped is a writer around another, as handlers make them.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A reader has problems in its language, through whatever writers stand between, with the
// same code; caches hear that the answer depends on it.
func TestSpoken(t *testing.T) {
	h := Spoken(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		Write(wrapped{wrapped{w}}, http.StatusNotFound, New(NotFound, "no x"))
	}), func(e *Error) (title, detail, hint string) {
		return "未找到", "未找到（" + e.Message + "）", "核对"
	})
	for header, want := range map[string]Document{
		"zh-CN": {"about:blank", "未找到", 404, "未找到（no x）", NotFound, "核对", false, ""},
		"en":    New(NotFound, "no x").Document(404),
		"":      New(NotFound, "no x").Document(404),
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Language", header)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		e, ok := Read(w.Body.Bytes())
		language := map[bool]string{true: "zh-CN", false: "en"}[header == "zh-CN"]
		if !ok || e.Code != want.Code || e.Message != want.Detail || e.Hint != want.Hint || w.Header().Get("Content-Language") != language || !slices.Contains(w.Header().Values("Vary"), "Accept-Language") {
			t.Errorf("%q: %v %s", header, w.Header(), w.Body)
		}
	}
	w := httptest.NewRecorder()
	if http.NewResponseController(&spoken{ResponseWriter: w}).Flush() != nil || !w.Flushed || http.NewResponseController(&spoken{ResponseWriter: w}).SetReadDeadline(time.Now()) == nil {
		t.Error("a controller does not see the writer behind it")
	}
}

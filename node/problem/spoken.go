package problem

import (
	"net/http"
	"strconv"
	"strings"
)

// Speaker says in Chinese what happened and what to do next. Names and numbers are in it,
// or follow in English.
type Speaker func(e *Error) (title, detail, hint string)

// Spoken returns a handler whose problems are written in the language that their reader
// prefers (Accept-Language): English, or Chinese by speak. Codes are the same in both.
func Spoken(next http.Handler, speak Speaker) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &spoken{ResponseWriter: w}
		if Chinese(r) {
			s.speak = speak
		}
		next.ServeHTTP(s, r)
	})
}

// spoken is a writer of one reader.
type spoken struct {
	http.ResponseWriter
	speak Speaker // nil for English
}

// Unwrap is for [http.ResponseController].
func (s *spoken) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// spokenOf returns the writer of [Spoken] behind others, or nil.
func spokenOf(w http.ResponseWriter) *spoken {
	for {
		switch inner := w.(type) {
		case *spoken:
			return inner
		case interface{ Unwrap() http.ResponseWriter }:
			w = inner.Unwrap()
		default:
			return nil
		}
	}
}

// in puts a document into the reader's language, and says so in the header.
func (s *spoken) in(d *Document, e *Error, h http.Header) {
	h.Add("Vary", "Accept-Language")
	if s.speak == nil {
		h.Set("Content-Language", "en")
		return
	}
	h.Set("Content-Language", "zh-CN")
	d.Title, d.Detail, d.Hint = s.speak(e)
}

// Chinese reports whether who makes a request prefers Chinese to English. Without a word
// about either it is English.
func Chinese(r *http.Request) bool {
	zh, en := 0.0, 0.0
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Language"), ","), ",") {
		tag, parameter, _ := strings.Cut(part, ";")
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.ToLower(strings.ReplaceAll(parameter, " ", "")), "q="); ok {
			w, err := strconv.ParseFloat(q, 64)
			if err != nil || !(w >= 0 && w <= 1) {
				continue
			}
			weight = w
		}
		primary, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		switch primary {
		case "zh":
			zh = max(zh, weight)
		case "en":
			en = max(en, weight)
		}
	}
	return zh > en || zh > 0 && zh == en && first(r, "zh")
}

// first reports whether a language is the first that a request names.
func first(r *http.Request, primary string) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(r.Header.Get("Accept-Language"))), primary)
}

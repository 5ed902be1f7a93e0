package console

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"strings"
	"sync"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/node/access"
	"atoll/node/problem"
)

// How long somebody stays logged in, at most and without opening a page.
const (
	sessionTime = 8 * time.Hour
	sessionIdle = time.Hour
)

// maxSessions is how many people are logged in at a time. Who comes after them
// ends the session that was unused for longest. Who logs in more often with one token
// than maxOfToken ends one of its own.
const (
	maxSessions = 256
	maxOfToken  = 8
)

// cookie returns the name of the cookie of a session. Cookies count for all ports of a
// host: consoles of several members on one machine have to differ. It is set without a
// path, and so counts where a browser sees the console: under the path of a proxy too.
func (s *console) cookie() string { return "atoll-session-" + s.Member }

// encrypted reports whether a browser's connection is: to this server, or to the proxy
// before it, as the browser's own Origin says.
func encrypted(r *http.Request) bool {
	return r.TLS != nil || strings.HasPrefix(r.Header.Get("Origin"), "https://")
}

// sessions are those who have logged in, by the SHA-256 of what their cookie has.
// They end with the process. It is safe for concurrent use.
type sessions struct {
	now func() time.Time

	mu sync.Mutex
	by map[[sha256.Size]byte]*session
}

type session struct {
	caller      *access.Caller
	until, used time.Time

	ctx context.Context // ends with the session
	end context.CancelFunc
}

// begin returns the secret of a new session.
func (s *sessions) begin(c *access.Caller) string {
	secret := rand.Text() + rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	var oldest, own [sha256.Size]byte
	mine := 0
	for id, known := range s.by {
		if known.over(now) {
			s.drop(id)
			continue
		}
		oldest = s.older(oldest, id)
		if known.caller.Token == c.Token {
			own = s.older(own, id)
			mine++
		}
	}
	switch {
	case mine >= maxOfToken:
		s.drop(own)
	case len(s.by) >= maxSessions:
		s.drop(oldest)
	}
	if s.by == nil {
		s.by = map[[sha256.Size]byte]*session{}
	}
	ctx, end := context.WithTimeout(context.Background(), sessionTime)
	s.by[sha256.Sum256([]byte(secret))] = &session{c, now.Add(sessionTime), now, ctx, end}
	return secret
}

// older returns which of two sessions was unused for longer. The caller holds the mutex.
func (s *sessions) older(a, b [sha256.Size]byte) [sha256.Size]byte {
	if first := s.by[a]; first != nil && !s.by[b].used.Before(first.used) {
		return a
	}
	return b
}

// drop ends a session. The caller holds the mutex.
func (s *sessions) drop(id [sha256.Size]byte) {
	if known := s.by[id]; known != nil {
		known.end()
		delete(s.by, id)
	}
}

func (s *session) over(now time.Time) bool {
	return now.After(s.until) || now.After(s.used.Add(sessionIdle))
}

// of returns a session, nil if there is none with this secret.
func (s *sessions) of(secret string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, now := sha256.Sum256([]byte(secret)), s.now()
	known := s.by[id]
	if known == nil {
		return nil
	}
	if known.over(now) {
		s.drop(id)
		return nil
	}
	known.used = now
	return known
}

func (s *sessions) end(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(sha256.Sum256([]byte(secret)))
}

// session returns that of a request; nil without one that counts.
func (s *console) session(r *http.Request) *session {
	cookie, err := r.Cookie(s.cookie())
	if err != nil {
		return nil
	}
	known := s.sessions.of(cookie.Value)
	if known == nil {
		return nil
	}
	if s.Valid(known.caller.Token) != nil {
		s.sessions.end(cookie.Value)
		return nil
	}
	return known
}

var errRole = cli.Errorf(&problem.Error{Code: problem.Forbidden, Message: "your token has no role that may open this page"}, "您的令牌没有打开此页面的角色", "your token has no role that may open this page").
	With("请管理员为您另发令牌（atoll token create --role）", "ask an administrator for another token (atoll token create --role)")

// signedIn answers only those who have logged in and have a role of the view. It
// puts the caller into the request's context.
func (s *console) signedIn(v View, next func(http.ResponseWriter, *http.Request, View)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		known := s.session(r)
		if known == nil {
			if r.Method == http.MethodGet {
				lead(w, root(r)+"login")
				return
			}
			s.render(w, r, http.StatusUnauthorized, s.loginSheet(r, cli.Errorf(cli.ErrUsage, "登录已结束，未作任何更改", "the session is over; nothing was changed").
				With("重新登录后再次提交", "log in and send it again")))
			return
		}
		r = r.WithContext(access.With(r.Context(), known.caller))
		if !known.caller.May(v.Roles...) {
			s.Refused(r, known.caller)
			s.failAs(w, r, http.StatusForbidden, errRole)
			return
		}
		next(w, r, v)
	})
}

func (s *console) loginPage(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, http.StatusOK, s.loginSheet(r, nil))
}

func (s *console) login(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, tooLarge(err))
		return
	}
	c, err := s.Login(r, r.PostForm.Get("token"))
	if err != nil {
		s.render(w, r, http.StatusUnauthorized, s.loginSheet(r, err))
		return
	}
	if old, err := r.Cookie(s.cookie()); err == nil {
		s.sessions.end(old.Value)
	}
	http.SetCookie(w, &http.Cookie{
		Name: s.cookie(), Value: s.sessions.begin(c), MaxAge: int(sessionTime.Seconds()), HttpOnly: true, Secure: encrypted(r), SameSite: http.SameSiteStrictMode,
	})
	lead(w, "./")
}

func (s *console) logout(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(s.cookie()); err == nil {
		s.sessions.end(c.Value)
	}
	http.SetCookie(w, &http.Cookie{Name: s.cookie(), MaxAge: -1, HttpOnly: true, Secure: encrypted(r), SameSite: http.SameSiteStrictMode})
	lead(w, "./login")
}

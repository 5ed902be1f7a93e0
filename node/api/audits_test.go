package api

import (
	"context"
	"errors"
	"testing"

	"atoll/node/problem"
)

// One audit goes on at a time, a node that stops ends it, and none begins after that. A
// client that goes away ends nothing.
func TestAuditsOneAtATime(t *testing.T) {
	var s Server
	t.Cleanup(s.Close)
	begun, end := make(chan struct{}, 2), make(chan struct{})
	s.Audit = func(AuditIn) (Audit, error) {
		return func(ctx context.Context, tell func(done, size uint64)) (*AuditResult, error) {
			tell(3, 9)
			begun <- struct{}{}
			select {
			case <-end:
				return &AuditResult{Size: 9}, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}, nil
	}
	asking, gone := context.WithCancel(t.Context())
	first, err := s.beginAudit(asking, AuditIn{})
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	gone()
	var e *problem.Error
	if _, err := s.beginAudit(t.Context(), AuditIn{}); !errors.As(err, &e) || e.Code != problem.TooMany || !e.Retryable {
		t.Fatalf("a second: %v", err)
	}
	if a, err := s.audit(t.Context(), AuditRefIn{first.ID}); err != nil || a.State != AuditRunning || a.Done != 3 || a.Size != 9 {
		t.Errorf("%+v, %v", a, err)
	}
	if err := s.auditProgress(asking, AuditRefIn{first.ID}, func(AuditOut) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody reads: %v", err)
	}
	end <- struct{}{}
	var last AuditOut
	if err := s.auditProgress(t.Context(), AuditRefIn{first.ID}, func(a AuditOut) { last = a }); err != nil || last.State != AuditDone || last.Result != nil {
		t.Errorf("%+v, %v", last, err)
	}
	if a, err := s.audit(t.Context(), AuditRefIn{first.ID}); err != nil || a.Result == nil || a.Result.Size != 9 || a.Ended == "" {
		t.Errorf("%+v, %v", a, err)
	}
	second, err := s.beginAudit(t.Context(), AuditIn{})
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	s.Close()
	if a, err := s.audit(t.Context(), AuditRefIn{second.ID}); err != nil || a.State != AuditStopped || a.Error != nil {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := s.beginAudit(t.Context(), AuditIn{}); !errors.As(err, &e) || e.Code != problem.Unavailable {
		t.Errorf("after the end: %v", err)
	}
}

package audit

import "container/heap"

// schedule is work scheduled for network times, the earliest first. Work due at
// one time is in the order in which it was scheduled.
type schedule struct {
	tasks tasks
	n     uint64
}

type task struct {
	ms, n uint64
	do    func()
}

func (s *schedule) later(ms uint64, do func()) {
	heap.Push(&s.tasks, task{ms, s.n, do})
	s.n++
}

// run does the work that is due.
func (s *schedule) run(now uint64) {
	for len(s.tasks) > 0 && s.tasks[0].ms <= now {
		heap.Pop(&s.tasks).(task).do()
	}
}

// tasks implements [heap.Interface].
type tasks []task

func (t tasks) Len() int      { return len(t) }
func (t tasks) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t tasks) Less(i, j int) bool {
	return t[i].ms < t[j].ms || t[i].ms == t[j].ms && t[i].n < t[j].n
}
func (t *tasks) Push(x any) { *t = append(*t, x.(task)) }
func (t *tasks) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}

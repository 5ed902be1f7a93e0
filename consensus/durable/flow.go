package durable

import "os"

// flowStep is how many bytes a Flow sends to the disk at a time.
const flowStep = 8 << 20

// A Flow has a long file go to the disk while it is written. Without it the
// operating system may keep all of it in memory until it is synced, and then
// whatever else is synced on that disk, such as the log, waits for all of it. The
// zero Flow is for one file that grows from its beginning or goes on. What is
// durable it does not say: that needs a sync at the end.
type Flow struct{ begun int64 }

// Reached is called now and then, when the file has so many bytes. It waits until
// no more than about two steps are on their way. The error is of the disk, which
// may tell it no second time: the content of the file is then unknown. Systems
// without such a call write when they like.
func (f *Flow) Reached(file *os.File, size int64) error {
	for size-f.begun >= flowStep {
		if f.begun >= flowStep {
			if err := written(file, f.begun-flowStep, flowStep); err != nil {
				return err
			}
		}
		if err := writing(file, f.begun, flowStep); err != nil {
			return err
		}
		f.begun += flowStep
	}
	return nil
}

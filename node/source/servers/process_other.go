//go:build !linux

package servers

import "errors"

var unsupported = errors.New("servers for tests are started on Linux only")

type signal int

const pause, proceed signal = 0, 0

// process has nothing to do where no server is started.
type process struct{}

func (process) guard(string, []string) error { return unsupported }
func (process) release()                     {}
func (process) own() error                   { return unsupported }
func (process) run([]string) error           { return unsupported }
func (process) start([]string) error         { return unsupported }
func (process) alive() bool                  { return false }
func (process) kill() error                  { return unsupported }
func (process) signal(signal) int            { return 0 }

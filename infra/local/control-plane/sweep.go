package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// The servers of a cluster end at the same moment as sweep begins its work, so a
// file of theirs can still appear in a folder that has just been emptied.
const (
	sweepAttempts = 50
	sweepPause    = 100 * time.Millisecond
)

// runSweep waits for the end of standard input and then removes one folder. It
// is what leaves nothing behind when the launcher is killed without warning. It
// ignores the signals that a terminal sends to the whole group, because its work
// only begins then.
func runSweep() int {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: sweep FOLDER")
		return 2
	}
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	waitForEnd()
	var err error
	for range sweepAttempts {
		err = os.RemoveAll(os.Args[1])
		if err == nil {
			// A server that was still ending may write once more: look again.
			time.Sleep(sweepPause)
			if _, missing := os.Stat(os.Args[1]); os.IsNotExist(missing) {
				return 0
			}
			continue
		}
		time.Sleep(sweepPause)
	}
	fmt.Fprintln(os.Stderr, "the folder could not be removed:", err)
	return 1
}

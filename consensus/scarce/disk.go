package scarce

import (
	"fmt"
	"syscall"
)

// Tight is how full a disk may be, in percent, for what can wait: large files,
// new queries. The rest of it is for the log, without which a member stops.
const Tight = 90

// TightUses is how full a disk may be, in percent, for records of who uses a member's
// API by a token: what callers make grow must not reach where the replica stops (95 %).
const TightUses = 92

// Room returns nil if the disk of a folder has room for so many more bytes and
// is not more than [Tight] then, otherwise an error for which [Full] is true. A
// disk that does not tell how full it is has room.
func Room(dir string, bytes int64) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return nil // the write will tell
	}
	return room(uint64(s.Blocks-s.Bfree), uint64(s.Bavail), uint64(s.Bsize), uint64(max(bytes, 0)))
}

// RoomForUses returns nil if the disk of a folder is not fuller than [TightUses],
// otherwise an error for which [Full] is true. A disk that does not tell how full it is
// has room.
func RoomForUses(dir string) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return nil // the write will tell
	}
	return roomForUses(uint64(s.Blocks-s.Bfree), uint64(s.Bavail))
}

func roomForUses(used, free uint64) error {
	if used*100 <= (used+free)*TightUses {
		return nil
	}
	return fmt.Errorf("the disk is more than %d %% full: %w", TightUses, syscall.ENOSPC)
}

// room is Room of a disk with so many blocks used and free to this user.
func room(used, free, block, bytes uint64) error {
	all := used + free
	if all == 0 || block == 0 {
		return nil
	}
	more := (bytes + block - 1) / block
	if more <= free && (used+more)*100 <= all*Tight {
		return nil
	}
	left := max(0, int64(all*Tight/100)-int64(used)) * int64(block)
	return fmt.Errorf("%d KiB more would make the disk more than %d %% full, which leaves too little for the log; there is room for %d KiB: %w", (bytes+1023)>>10, Tight, left>>10, syscall.ENOSPC)
}

package vault

import (
	"errors"
	"io/fs"
)

// SpooledSize returns how many bytes a committed file has; 0 if there is none.
func (v *Vault) SpooledSize(name string) (int64, error) {
	if err := checkName(name); err != nil {
		return 0, err
	}
	var size int64
	e, err := v.content(name, func(content []byte) { size = int64(len(content)) })
	if err != nil || !e.there || e.inside(place{}) {
		return size, err
	}
	info, err := v.spool.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

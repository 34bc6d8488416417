package node

import (
	"errors"
	"sync"

	cmtdb "github.com/cometbft/cometbft-db"
	cmtcfg "github.com/cometbft/cometbft/config"
)

// databases are what CometBFT opened. It leaves some open when it stops (the transaction index), or
// when it fails to start; a home could then not be opened again by this process.
type databases struct{ open []*database }

// provide opens a database for CometBFT.
func (d *databases) provide(ctx *cmtcfg.DBContext) (cmtdb.DB, error) {
	db, err := cmtcfg.DefaultDBProvider(ctx)
	if err != nil {
		return nil, err
	}
	opened := &database{DB: db}
	d.open = append(d.open, opened)
	return opened, nil
}

func (d *databases) close() error {
	var err error
	for _, db := range d.open {
		err = errors.Join(err, db.Close())
	}
	return err
}

// database may be closed twice.
type database struct {
	cmtdb.DB
	once sync.Once
	err  error
}

func (d *database) Close() error {
	d.once.Do(func() { d.err = d.DB.Close() })
	return d.err
}

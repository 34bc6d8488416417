package panel

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
)

//go:embed static/*.js static/*.css static/*.svg static/*.txt
var staticFiles embed.FS

type static struct {
	raw         []byte
	etag        string
	contentType string
}

// readStatics names each file's type itself: the table of package mime depends on the machine.
func readStatics() (map[string]static, error) {
	types := map[string]string{
		".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
		".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
	}
	files, err := fs.ReadDir(staticFiles, "static")
	if err != nil {
		return nil, err
	}
	out := make(map[string]static, len(files))
	for _, f := range files {
		raw, err := staticFiles.ReadFile("static/" + f.Name())
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(raw)
		out[f.Name()] = static{raw, `"` + hex.EncodeToString(sum[:16]) + `"`, types[path.Ext(f.Name())]}
	}
	return out, nil
}

func (p *Panel) static(w http.ResponseWriter, r *http.Request) error {
	f, ok := p.statics[r.PathValue("name")]
	if !ok {
		return api.Errorf(api.CodeNotFound, "The panel has no such file.")
	}
	w.Header().Set("Content-Type", f.contentType)
	w.Header().Set("ETag", f.etag)
	w.Header().Set("Cache-Control", "no-cache") // kept, and asked after: an update must show at once
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.raw))
	return nil
}

package bridge

import "sync"

// scratch holds buffers in which questions are written out for their keys.
var scratch = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

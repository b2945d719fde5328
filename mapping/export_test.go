package mapping

// Names for tests.
var (
	Same    = same
	CutText = cutText
)

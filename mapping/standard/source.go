package standard

// Source returns the file of a universal model as it is written: the model and
// the mappings of every kind of system, as YAML documents. ok is false where
// there is no such model.
func Source(model string) (text string, ok bool) {
	b, err := files.ReadFile(model + ".yaml")
	return string(b), err == nil
}

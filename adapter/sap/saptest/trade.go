package saptest

import (
	"fmt"
)

// trade gives the tables their rules and the functions what they do.
func (s *Server) trade() {
	rules := map[string]rule{"ZSAMPLE_SRV.Samples": sampleRules, "ZSAMPLE_SRV.Files": fileRules}
	for model, r := range rules {
		if t := s.db.tables[model]; t != nil {
			t.before = r
		}
	}
}

func sampleRules(ch *change) error {
	if ch.op != creating {
		return nil
	}
	if ch.get("SampleID") == nil || ch.get("SampleID") == "" {
		ch.set("SampleID", fmt.Sprint(ch.number("sample", 1)))
	}
	ch.set("CreatedAt", ch.now())
	ch.set("CreatedBy", ch.call.user)
	return nil
}

func fileRules(ch *change) error {
	if ch.op != creating {
		return nil
	}
	if ch.get("FileID") == nil || ch.get("FileID") == "" {
		ch.set("FileID", fmt.Sprint(ch.number("file", 1)))
	}
	if ch.media != nil {
		ch.set("FileSize", int64(len(ch.media.content)))
	}
	return nil
}

func (s *Server) populate() error { return nil }

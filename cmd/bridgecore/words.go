package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/config"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
)

// wordsOf are the words in the language of --lang, or of the environment as
// POSIX has it: the first of LC_ALL, LC_MESSAGES and LANG that is set.
func wordsOf(flag string, environ []string) *i18n.Words {
	if flag != "" {
		return i18n.For(flag)
	}
	for _, name := range [...]string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		for _, entry := range environ {
			if value, is := strings.CutPrefix(entry, name+"="); is && value != "" {
				locale, _, _ := strings.Cut(value, ".") // "ar_SA.UTF-8"
				locale, _, _ = strings.Cut(locale, "@")
				return i18n.For(locale)
			}
		}
	}
	return i18n.For()
}

// say writes a line in the language of the person who called the program.
func (w world) say(to io.Writer, key string, pairs ...any) error {
	_, err := fmt.Fprintln(to, w.words.T(key, pairs...))
	return err
}

// count is say for a message that depends on a number.
func (w world) count(to io.Writer, key string, n int, pairs ...any) error {
	_, err := fmt.Fprintln(to, w.words.N(key, n, pairs...))
	return err
}

// message is an error for the person who called the program.
func (w world) message(err error) string {
	if all, ok := errors.AsType[config.Errors](err); ok {
		lines := make([]string, 1, len(all)+1)
		lines[0] = w.words.T("cli_config_bad")
		for _, err := range all {
			name, what, found := strings.Cut(err.Error(), ": ")
			if !found || name != strings.ToUpper(name) {
				lines = append(lines, "  "+w.words.Say(err.Error()))
				continue
			}
			lines = append(lines, "  "+name+": "+w.words.Say(what))
		}
		return strings.Join(lines, "\n")
	}
	return w.words.Say(message(err))
}

// message is an error as it was made.
func message(err error) string {
	if e, ok := errors.AsType[*adapter.Error](err); ok {
		return e.Message
	}
	return err.Error()
}

package sandbox

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
)

// OpenJournal opens a file to be a [Config].Journal: made when it is missing, added to otherwise. A last line
// that a killed predecessor could not finish is ended, so that it spoils no other; that message was never
// acknowledged.
func OpenJournal(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if err := endLastLine(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func endLastLine(file *os.File) error {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, info.Size()-1); err != nil || last[0] == '\n' {
		return err
	}
	_, err = file.WriteString("\n")
	return err
}

// journalTo returns a function that adds a message to w. What cannot be written is logged, and the message is
// accepted all the same: to its sender the sandbox is a vendor, which knows of no journal.
func journalTo(w io.Writer, logger *slog.Logger) func(Message) {
	if w == nil {
		return func(Message) {}
	}
	return func(m Message) {
		line, err := json.Marshal(m)
		if err == nil {
			_, err = w.Write(append(line, '\n'))
		}
		if err != nil {
			logger.Error("message not written to the journal", "error", err)
		}
	}
}

package auditing

import (
	"testing"

	"atoll/cmd/internal/cli/clitest"
)

// Every text is in both languages, with the same arguments.
func TestWordsInBothLanguages(t *testing.T) { clitest.Words(t, 30) }

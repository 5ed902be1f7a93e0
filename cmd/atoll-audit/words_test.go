package main

import (
	"testing"

	"atoll/cmd/internal/cli/clitest"
)

// Help says all that it says in both languages: every command, every flag. A
// line is in one of them.
func TestHelpInBothLanguages(t *testing.T) { clitest.Help(t, rootCommand(), 55) }

// What a command says it says in both languages, with the same things filled in.
func TestWordsInBothLanguages(t *testing.T) { clitest.Words(t, 200) }

// Nothing is printed past the printer, which escapes what it is given.
func TestPrintedByThePrinter(t *testing.T) { clitest.Printed(t) }

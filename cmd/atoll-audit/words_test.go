package main

import (
	"testing"

	"atoll/cmd/internal/cli/clitest"
)

// All help is in both languages: every command, every flag. A line has only one
// of them.
func TestHelpInBothLanguages(t *testing.T) { clitest.Help(t, rootCommand(), 55) }

// Every message of a command is in both languages, with the same arguments.
func TestWordsInBothLanguages(t *testing.T) { clitest.Words(t, 200) }

// Nothing is printed except through the printer, which escapes its arguments.
func TestPrintedByThePrinter(t *testing.T) { clitest.Printed(t) }

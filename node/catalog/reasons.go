package catalog

// Reasons why an output has no value, as in [Answer]: a code, for some codes
// followed by ": " and what the code is about. Codes do not change: documents
// and programs rely on them. None contains a value.
const (
	PeriodsMissing  = "periods.missing" // the rows cover fewer months than the answer would claim
	periodsOverlap  = "periods.overlap" // two periods share days, which would count twice
	periodsUnfit    = "periods.unfit"   // a period ends before it begins, or is longer than ten years
	rowsUnfit       = "rows.unfit"      // a row does not fit the catalog; followed by a field's name
	rowsUndated     = "rows.undated"    // a row has no date
	rowsFuture      = "rows.future"     // a row is dated in a future month
	rowsAhead       = "rows.ahead"      // a date of which the output asks only whether it is there is in the future
	rowsDiffer      = "rows.differ"     // rows are equal in the unique fields and differ in what is asked
	rowsNameless    = "rows.nameless"   // rows are equal in the unique fields, one of which has no value
	rowsStale       = "rows.stale"      // the newest row is older than so many days
	newestDiffer    = "newest.differ"   // two rows of the newest day have different values
	recordsSeveral  = "records.several" // several records where the dataset has one each
	recordEmpty     = "record.empty"    // the record has no value in that field
	valueNone       = "value.none"      // the formula gives null
	valueUndeclared = "value.undeclared"
	valueNotWhole   = "value.not_whole"
	valueTooLarge   = "value.too_large" // followed by the limit of digits before the point
	valueTooLong    = "value.too_long"  // followed by the limit of bytes of a text
	valueUnfit      = "value.unfit"     // of a type that cannot be released
	personsMissing  = "persons.missing" // a row about a person does not say about whom
	personsWindow   = "persons.window"  // fewer months of an output about persons than the catalog offers
	predicateNone   = "predicate.none"  // an item to be verified without a predicate that the output declares
	formulaFails    = "formula.fails"   // the formula cannot be computed on these rows: why, in English
)

// Reasons why an agency does not answer a predicate.
const (
	PredicateUndeclared = "predicate.undeclared" // the catalog does not declare it
	PredicateSpent      = "predicate.spent"      // as many others as are allowed were answered
	PredicateCounting   = "predicate.counting"   // the answers so far are still being counted
	PredicateHistory    = "predicate.history"    // they cannot be counted
)

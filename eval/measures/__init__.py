"""Measures of a finished set, for its report: pure functions on texts, labels and vectors."""

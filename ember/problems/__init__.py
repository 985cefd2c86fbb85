"""The kinds of word problem that ember's corpus knows: one file a kind, each a table of templates that are both written and read."""

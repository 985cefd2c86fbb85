"""The verbs of the command line: click at import, everything else when a verb runs."""

"""Personal data and secrets in texts: where they are, and what can stand in their place. Nothing here ever returns what it found."""

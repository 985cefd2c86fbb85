"""Who is asking: persona sources."""

"""Ways to a model: one file a kind of server."""

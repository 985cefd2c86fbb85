"""The faces: the command line, later HTTP and the dashboard."""

"""Filters and measures: one file each; the file name is the name a recipe uses."""

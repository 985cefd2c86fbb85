"""Ready recipes, shipped with the package."""

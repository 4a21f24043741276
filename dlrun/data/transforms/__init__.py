"""Transforms that learn from the training rows: one file per name that a YAML file may use."""

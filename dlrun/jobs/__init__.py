"""Where and when processes run."""

"""What is worked out from finished runs: are they equal, how do they compare."""

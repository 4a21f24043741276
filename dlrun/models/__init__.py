"""What learns: one file per architecture."""

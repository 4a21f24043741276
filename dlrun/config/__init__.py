"""What the user writes: the keys (`schema`), how files become a `Config` (`loading`), `-s` (`overrides`)."""

"""How a run spends its time: `fit` is the default."""

"""The seed tree: every source of randomness has a seed of its own, derived from one root seed.

A child seed depends on the root and on its name only, so that adding a step never shifts another step's randomness.
Names in use: `data`, `split`, `shuffle`, `init`, `augment`, `bootstrap`, `baseline`, `("fold", k)`, `("trial", k)`,
`("repeat", k)`.
"""

from __future__ import annotations

import hashlib


def child_seed(root: int, *names: str | int) -> int:
    """A seed in [0, 2**31) for the branch `names` below `root`: the first 31 bits of SHA-256 of their path."""
    path = "/".join([str(root), *map(str, names)])
    return int.from_bytes(hashlib.sha256(path.encode()).digest()[:4], "big") >> 1

"""The section `needs`: what a run asks of a machine that it shares with others."""

from __future__ import annotations

import re

from pydantic import Field

from dlrun.config.bases import Section

MEMORY = r"^\d+(\.\d+)? ?[GM]i?B$"
_BYTES = {"MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30}


class Needs(Section):
    """What `dlrun batch` must have free before the run begins. It is no part of the experiment."""

    gpu_memory: str | None = Field(
        None,
        description="Of a GPU, such as 6GB or 800MiB: runs whose needs add up to no more than its memory share it. "
        "Empty: the GPU is not shared, unless by `--per-gpu`.",
        pattern=MEMORY,
    )
    gpus: int = Field(1, description="Whole GPUs for one run, for `runtime.strategy`.", ge=1)

    @property
    def gpu_mebibytes(self) -> int:
        """`gpu_memory` in MiB, as drivers count it; 0 when it is not stated."""
        return mebibytes(self.gpu_memory or "")


def mebibytes(text: str) -> int:
    """`6GB` in MiB, rounded down, so that four quarters fit; 0 for what is no such text."""
    if not re.match(MEMORY, text):
        return 0
    number, unit = re.findall(r"[\d.]+|\w+$", text)
    return int(float(number) * _BYTES[unit] / 2**20)

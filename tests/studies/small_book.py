"""A small book on digits: configs in a folder, and what they state."""

from dlrun.studies._claims import find_claims, find_configs
from dlrun.studies._stated_rows import Result

BASE = """
data: digits
model: {name: mlp, hidden: [8]}
split: {test: 0.5}
training: {epochs: 1, batch_size: 256, tensorboard: false}
runtime: {jit_compile: false}
"""


def write_book(folder, **configs):
    """Write configs of a small book, each by its name and further lines; their folder."""
    folder.mkdir(exist_ok=True)
    for name, text in configs.items():
        (folder / f"{name}.yaml").write_text(BASE + text)
    return folder


def claims_of(folder, pattern="*.yaml", **options):
    return find_claims(find_configs([str(folder / pattern)]), **options)


def result(claim, value, baseline=1.0, epochs=3):
    metrics = {"best": {"val_loss": value}, "baselines": {"val_loss": baseline}, "parameters": 610}
    return Result(claim, metrics, [{"val_loss": value}] * epochs, {}, 2.0)

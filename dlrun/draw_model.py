"""The model of a config or of a run as a drawing."""

from __future__ import annotations

from pathlib import Path

from dlrun.config.schema import Config
from dlrun.engine.model_files import load_model
from dlrun.engine.model_graph import graph_of
from dlrun.engine.resolve import model_of, open_session
from dlrun.errors import RunDirError
from dlrun.files import make_folder, write_text
from dlrun.model_picture import Box, Graph, draw_model
from dlrun.run_dir import RunDir


def draw_config(config: Config, file: Path) -> None:
    """Write the SVG of the model that a config builds. Raises DlrunError."""
    _write(graph_of(model_of(config)), config.name, file)


def draw_run(run: RunDir, config: Config, file: Path) -> None:
    """Write the SVG of the best model of a run; of several models all, each in a frame. Raises DlrunError."""
    files = [run.model_file("best")] if run.model_file("best").exists() else sorted(run.path.glob("best-*.keras"))
    if not files:
        raise RunDirError(f"the run {run.id} has no model to draw")
    with open_session(config):
        graphs = {path.stem.removeprefix("best-"): graph_of(load_model(path)) for path in files}
    whole = Graph({name: Box(name, (name,), inside=graph) for name, graph in graphs.items()})
    _write(whole if len(graphs) > 1 else next(iter(graphs.values())), f"{config.name} {run.id}", file)


def _write(graph: Graph, title: str, file: Path) -> None:
    make_folder(file.parent)
    write_text(file, draw_model(graph, title))

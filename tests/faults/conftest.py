"""One helper process for the whole session, and the uninterrupted runs that others are compared with."""

from __future__ import annotations

import pytest
from fork_server import ForkServer
from killing import Whole, train_whole


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory):
    """Runs `dlrun` commands in children of one warm process."""
    made = ForkServer(tmp_path_factory.mktemp("server"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def whole(server, tmp_path_factory):
    """Makes the uninterrupted run of a case, once."""
    made: dict[tuple[str, str], Whole] = {}

    def make(net: str = "dropout", mode: str = "whole_epoch") -> Whole:
        if (net, mode) not in made:
            made[net, mode] = train_whole(server, tmp_path_factory.mktemp(f"{net}_{mode}"), net, mode)
        return made[net, mode]

    return make


@pytest.fixture
def path(tmp_path):
    """Where a run of a test goes: below an outputs folder."""
    return tmp_path / "outputs" / "cut" / "run"

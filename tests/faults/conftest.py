"""One helper process for the whole session, and what the tests of faults share."""

from __future__ import annotations

import pytest
from fork_server import ForkServer


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory):
    """Runs `dlrun` commands in children of one warm process."""
    made = ForkServer(tmp_path_factory.mktemp("server"))
    yield made
    made.close()

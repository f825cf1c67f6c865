from __future__ import annotations

import pytest

from tasks.task import Task
from tests.minor import build


@pytest.fixture(scope="session")
def minor(tmp_path_factory) -> Task:
    """The second small task."""
    return build(tmp_path_factory.mktemp("minor"))

"""What every test shares: a cache of its own, and the real data where it lies beside the project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.task import Task
from tests import mini as mini_task

ROOT = Path(__file__).parents[1]
REAL = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the tests out of the user's cache and configuration; samples are built once per test session."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAZEBENCH_CACHE", str(folder))
        patch.delenv("GAZEBENCH_DATA", raising=False)
        yield folder


@pytest.fixture(scope="session")
def real_adserp() -> Path:
    """The folder with real AdSERP trials; tests that need it are skipped elsewhere."""
    folder = REAL / "adserp"
    if not folder.is_dir():
        pytest.skip(f"no real AdSERP data in {folder}")
    return folder


@pytest.fixture(scope="session")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """A small task: seven users with three sessions of four slots each."""
    return mini_task.build(tmp_path_factory.mktemp("mini"))

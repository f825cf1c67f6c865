"""What every test shares: a cache of its own, and the real data where it is in a folder next to the project."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmark.metrics import registry
from tasks.task import Task
from tests import mini as mini_task
from tests.browser import CHROMIUM, DRIVER, MISSING, Browser

ROOT = Path(__file__).parents[1]
REAL = ROOT.parent / "shared" / "data"


LONGEST = (
    "tests/documents/test_blocks.py",
    "tests/benchmark/engines/test_ray.py",
    "tests/baselines/distributed",
    "tests/test_additions.py",
    "tests/baselines/simulators/test_does_it_work.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that processes side by side end at about the same time."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_collection_finish() -> None:
    """Let the garbage collector leave out what is there for good, such as thousands of tests; it runs often."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def metrics_of_the_suite() -> Iterator[None]:
    """Forget the metrics of files that a test used: a process knows them until it ends."""
    yield
    if registry.OWN:
        registry.OWN.clear()
        registry.all_metrics.cache_clear()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the tests out of the user's cache and configuration, and in one process; samples are built once.

    Processes of pytest-xdist share the cache.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAZEBENCH_CACHE", str(folder))
        patch.setenv("GAZEBENCH_WORKERS", "1")
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


@pytest.fixture(scope="module")
def browse(tmp_path_factory) -> Iterator[Callable[..., Browser]]:
    """Give browsers by their window; skipped where there is no Chromium."""
    if not (CHROMIUM and DRIVER):
        pytest.skip(MISSING)
    opened: dict[tuple[tuple[str, object], ...], Browser] = {}

    def give(**window: object) -> Browser:
        key = tuple(sorted(window.items()))
        if key not in opened:
            opened[key] = Browser(tmp_path_factory.mktemp("profile"), **window)  # type: ignore[arg-type]
        return opened[key]

    yield give
    for browser in opened.values():
        browser.close()

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / ".." / "shared" / "data" / "adserp"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The recorded trials of AdSERP, outside the project."""
    if not (DATA / "replay" / "slots.parquet").is_file():
        pytest.skip("the recorded AdSERP trials (shared/data/adserp) are not here")
    return DATA


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """The module of a tiny task, registered as ``fake``, with a cache of its own."""
    from tasks import registry

    folder = tmp_path / "modules"
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("fake_task.py"), folder / "gazebench_fake_task.py")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setitem(registry.TASKS, "fake", "gazebench_fake_task:FAKE")
    monkeypatch.setenv("GAZEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GAZEBENCH_DATA", raising=False)
    sys.modules.pop("gazebench_fake_task", None)
    yield importlib.import_module("gazebench_fake_task")
    sys.modules.pop("gazebench_fake_task", None)


@pytest.fixture
def raw(fake, tmp_path):
    """A raw folder of the tiny task: 7 sessions kept, 3 dropped."""
    folder = tmp_path / "raw"
    folder.mkdir()
    fake.write_rows(folder, fake.rows())
    return folder

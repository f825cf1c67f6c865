from __future__ import annotations

import copy
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tasks.adserp import ADSERP, ADSERP_PAGE
from tasks.adserp.reader import detect, read
from tasks.definition import ReadOptions, quiet
from tasks.errors import InputError

NO_IMAGES = ReadOptions(images=False)


@pytest.fixture
def many(replay_document, replay_folder):
    """A folder of twelve trials of two users, in no particular order of file names."""

    def document(trial_id):
        made = copy.deepcopy(replay_document)
        made["trial_id"] = trial_id
        return made

    return replay_folder(*(document(f"p00{user}-b1-t{trial}") for user in (2, 1) for trial in (10, 9, 3, 2, 1, 4)))


def test_detect(replay_folder, raw_folder, tmp_path):
    assert detect(replay_folder()) == "replay"
    assert detect(raw_folder) == "raw"
    assert detect(tmp_path / "nothing") is None
    (tmp_path / "other" / "trials").mkdir(parents=True)
    assert detect(tmp_path / "other") is None


def test_sessions_come_sorted_by_trial_id_as_text_whatever_the_workers(many):
    one, three = (ADSERP.read(many, ReadOptions(images=False, workers=workers), quiet).sessions for workers in (1, 3))
    ids = [session.session_id for session in one]
    assert ids == sorted(ids)
    assert ids[:3] == ["p001-b1-t1", "p001-b1-t10", "p001-b1-t2"]
    assert [session.session_id for session in three] == ids


def test_progress_wraps_every_trial(many):
    seen = []

    def progress(items, *, total=None, desc=""):
        for item in items:
            seen.append((total, desc))
            yield item

    ADSERP.read(many, NO_IMAGES, progress)
    assert seen == [(12, "AdSERP trials")] * 12


def test_an_error_in_one_trial_stops_the_others(many):
    (many / "trials" / "p001-b1-t3.json").write_text("{", encoding="utf-8")
    before = threading.active_count()
    with pytest.raises(InputError, match="p001-b1-t3.json"):
        ADSERP.read(many, ReadOptions(images=False, workers=3), quiet)
    assert threading.active_count() == before


def test_one_trial_in_two_files_is_refused(replay_document, replay_folder):
    folder = replay_folder(replay_document, replay_document)
    with pytest.raises(InputError, match=r"p001-b1-t1.json: trial p001-b1-t1 is also in p001-b1-t1-copy.json"):
        ADSERP.read(folder, NO_IMAGES, quiet)


def test_a_folder_of_none_or_of_the_other_layout(tmp_path, replay_folder, raw_folder):
    with pytest.raises(InputError, match="is not an AdSERP folder of the layout replay. Expected trials/.*replay.*raw"):
        ADSERP.read(tmp_path / "nothing", NO_IMAGES, quiet)
    with pytest.raises(InputError, match="is not an AdSERP folder of the layout raw"):
        ADSERP.read(replay_folder(), ReadOptions(layout="raw"), quiet)
    with pytest.raises(InputError, match="is not an AdSERP folder of the layout replay"):
        ADSERP.read(raw_folder, ReadOptions(layout="replay"), quiet)


def test_raw_folders_without_trials(tmp_path):
    for name in ("fixation-data", "mouse-movement-data", "ad-boundary-data", "trial-metadata", "full-page-screenshots"):
        (tmp_path / name).mkdir()
    with pytest.raises(InputError, match="holds no trials"):
        ADSERP.read(tmp_path, NO_IMAGES, quiet)


def test_where_both_layouts_lie_together_the_wanted_one_is_read(replay_folder, raw_folder):
    folder = replay_folder()
    for path in raw_folder.iterdir():
        path.rename(folder / path.name)
    assert detect(folder) == "replay"
    reading = read(
        folder, ReadOptions(layout="raw", images=False), quiet, find=lambda image, ads: [(162, 300, 748, 400)]
    )
    assert "raw layout" in reading.notes[0]


def test_the_definitions_say_what_the_card_must_warn_of():
    assert (ADSERP.info.name, ADSERP_PAGE.info.name) == ("adserp", "adserp-page")
    for definition in (ADSERP, ADSERP_PAGE):
        assert definition.layouts == ("replay", "raw")
        assert any("cursor" in leak and "target" in leak for leak in definition.info.leaks)
        assert "10.1145/3726302.3730325" in definition.info.citation
        assert (definition.info.licence, definition.info.answer_format) == ("MIT", "number")


def test_importing_the_task_is_light():
    code = "import sys, tasks.adserp; print([m for m in ('torch', 'ray', 'pandas', 'scipy') if m in sys.modules])"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

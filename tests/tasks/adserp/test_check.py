"""``prepare --check`` on folders of AdSERP."""

from __future__ import annotations

import json
import shutil

from tasks.adserp import ADSERP
from tasks.checking import check
from tasks.definition import ReadOptions


def test_every_trial_and_file_of_adserp_is_looked_at(replay_document, replay_folder, tmp_path):
    good = json.loads(json.dumps(replay_document))
    second = json.loads(json.dumps(replay_document)) | {"trial_id": "p002-b1-t1"}
    second["fixations"][0]["duration"] = second["fixations"][2]["duration"] = -5
    second["cursor"][0]["x"] = "left"
    third = json.loads(json.dumps(replay_document)) | {"trial_id": "P001-b2-t1", "screenshot": "png/none.jpg"}
    folder = replay_folder(good, second, third)
    found = check(ADSERP, folder)
    said = "\n".join(found.refused)
    for words in (
        "p002-b1-t1.json: fixations[0]: duration is -5, a duration cannot be negative (and 1 more: 2)",
        "p002-b1-t1.json: cursor[0]: x is 'left'",
        "none.jpg",
        "users P001 and p001 are one person under two spellings",
    ):
        assert words in said
    assert len(found.refused) == 4
    assert "blank screenshot: in 2 trials (p001-b1-t1, p002-b1-t1)" in found.notes


def test_every_file_of_a_raw_trial_is_looked_at(raw_folder):
    (raw_folder / "fixation-data" / "p001-b1-t1.csv").write_text("timestamp,FPOGX\n1,2\n")
    (raw_folder / "trial-metadata" / "p001-b1-t1.xml").write_text("<data>")
    (raw_folder / "full-page-screenshots" / "p001-b1-t1.png").write_bytes(b"no")
    shutil.copy(raw_folder / "fixation-data" / "p001-b1-t1.csv", raw_folder / "fixation-data" / "p002-b1-t1.csv")
    found = check(ADSERP, raw_folder, ReadOptions(images=False))
    assert [line.split(": ")[1] for line in found.refused if "p002" in line] == [
        "is missing, though trial p002-b1-t1 has other files. Complete the folder."
    ] * 4
    assert len(found.refused) == 7

"""``prepare --check`` on folders of AdSERP."""

from __future__ import annotations

import json
import shutil

from tasks.adserp import ADSERP
from tasks.definition import ReadOptions
from tasks.prepare import check


def test_every_trial_and_file_of_adserp_is_looked_at(replay_document, replay_folder, tmp_path):
    good = json.loads(json.dumps(replay_document))
    second = json.loads(json.dumps(replay_document)) | {"trial_id": "p002-b1-t1"}
    second["fixations"][0]["duration"] = second["fixations"][2]["duration"] = -5
    second["cursor"][0]["x"] = "left"
    second["cursor"] += [{"x": 1, "y": 1, "event": "mousemove"}] * 2
    second["bboxes"]["native_ad"] += [
        {"location": {"x": 1, "y": 1}, "size": {"width": -1, "height": 100 + n}} for n in (0, 1)
    ]
    third = json.loads(json.dumps(replay_document)) | {"trial_id": "P001-b2-t1", "screenshot": "png/none.jpg"}
    folder = replay_folder(good, second, third)
    found = check(ADSERP, folder)
    said = "\n".join(found.refused)
    for words in (
        "p002-b1-t1.json: fixations[0]: duration is -5, a duration cannot be negative (and 1 more: 2)",
        "p002-b1-t1.json: cursor[0]: x is 'left'",
        "p002-b1-t1.json: cursor[4]: missing t (and 1 more)",
        "p002-b1-t1.json: bboxes.native_ad[1]: size is -1 x 100",
        "p002-b1-t1.json: bboxes.native_ad[2]: size is -1 x 101",
        "none.jpg",
        "users P001 and p001 are one person under two spellings",
    ):
        assert words in said
    assert len(found.refused) == 7
    assert "blank screenshot: in 2 trials (p001-b1-t1, p002-b1-t1)" in found.notes


def test_every_file_of_a_raw_trial_is_looked_at(raw_folder):
    (raw_folder / "fixation-data" / "p001-b1-t1.csv").write_text("timestamp,FPOGX\n1,2\n")
    mouse = raw_folder / "mouse-movement-data" / "p001-b1-t1.csv"
    lines = mouse.read_text().splitlines()
    mouse.write_text("\n".join([*lines[:2], '"' + lines[2], lines[3], '"' + lines[4], "1,2", *lines[5:]]) + "\n")
    (raw_folder / "trial-metadata" / "p001-b1-t1.xml").write_text("<data>")
    (raw_folder / "full-page-screenshots" / "p001-b1-t1.png").write_bytes(b"no")
    shutil.copy(raw_folder / "fixation-data" / "p001-b1-t1.csv", raw_folder / "fixation-data" / "p002-b1-t1.csv")
    found = check(ADSERP, raw_folder, ReadOptions(images=False))
    assert [line.split(": ")[1] for line in found.refused if "p002" in line] == [
        "is missing, though trial p002-b1-t1 has other files. Complete the folder."
    ] * 4
    said = "\n".join(found.refused)
    assert "p001-b1-t1.csv: row 3 (and 1 more: 5) is not valid CSV (unexpected end of data)" in said, said
    assert "p001-b1-t1.csv: row 6 has 2 fields, expected 5" in said
    assert len(found.refused) == 9

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tasks.adserp.trial import Area, Fixations, Points, Trial
from tasks.types import ScreenImage


def _columns(rows: list[tuple[float, ...]], width: int) -> list[np.ndarray]:
    return list(np.array(rows, dtype=np.float64).reshape(len(rows), width).T)


@pytest.fixture
def make_trial(tmp_path):
    """Build a trial from plain rows; the page is white, 1280 x 2400. A click without a release before it is one."""
    image = tmp_path / "page.png"
    Image.new("RGB", (1280, 2400), "white").save(image)

    def make(areas, fixations=(), cursor=(), scrolls=(), clicks=(), up=None, down=(), replay=False) -> Trial:
        up = [t for t, _, _ in clicks] if up is None else up
        return Trial(
            trial_id="p001-b1-t1",
            query="buy tea kettle",
            areas=tuple(Area(kind, box, f"{kind} {number}") for number, (kind, box) in enumerate(areas)),
            fixations=Fixations(*_columns(list(fixations), 4)),
            cursor=Points(*_columns([*cursor, *clicks], 3)),
            scrolls=Points(*_columns([(t, 0.0, y) for t, y in scrolls], 3)),
            clicks=Points(*_columns(list(clicks), 3)),
            viewport=(1280, 1023),
            screenshot=ScreenImage(path=image),
            source=tmp_path / "trial.json",
            buttons=None if replay else (np.array(down, float), np.array(up, float)),
        )

    return make


def box(x: int, y: int, width: int, height: int) -> dict[str, Any]:
    return {"location": {"x": x, "y": y}, "size": {"width": width, "height": height}}


@pytest.fixture
def replay_document() -> dict[str, Any]:
    """A trial by hand: window twice as wide as the screenshot, so scale is 0.5 and y counts half."""
    return {
        "trial_id": "p001-b1-t1",
        "screenshot": "png/p001-b1-t1.jpg",
        "screenshot_width": 1280,
        "win_width": 2560,
        "doc_height": 4000,
        "task": "batch_1_trial_1 | buy-tea-kettle",
        "url": "http://localhost/page.php?q=buy-tea-kettle#cns=1&cns=1",
        "bboxes": {
            "organic_result": [{"position": 1, **box(162, 300, 586, 100)}, {"position": 2, **box(162, 450, 586, 100)}],
            "native_ad": [box(162, 150, 540, 100)],
            "dd_top": [],
            "dd_right": [box(802, 100, 221, 400)],
            "widget": [{**box(162, 600, 586, 100), "type": "unknown_widget"}],
        },
        # x is in screenshot pixels already, y in CSS pixels: (200, 680) is the point (200, 340)
        "cursor": [
            {"t": 100, "x": 200, "y": 400, "event": "mousemove"},
            {"t": 500, "x": 0, "y": 20, "event": "scroll"},
            {"t": 900, "x": 200, "y": 680, "event": "mousemove"},
            {"t": 1500, "x": 200, "y": 680, "event": "click"},
        ],
        "fixations": [
            {"t": 300, "x": 200, "y": 200, "duration": 250},
            {"t": 1200, "x": 200, "y": 340, "duration": 400},
            {"t": 1500, "x": 900, "y": 200, "duration": 90},
            {"t": 1600, "x": 200, "y": 500, "duration": 80},
        ],
    }


@pytest.fixture
def replay_folder(tmp_path, replay_document):
    """Write a folder of the replay layout, with the document as the test has changed it."""

    def write(*documents: Any) -> Path:
        folder = tmp_path / "replay"
        for name in ("trials", "png"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for number, document in enumerate(documents or (replay_document,)):
            text = document if isinstance(document, str) else json.dumps(document)
            name = document["trial_id"] if isinstance(document, dict) and "trial_id" in document else f"t{number}"
            path = folder / "trials" / f"{name}.json"
            if path.exists():
                path = path.with_stem(f"{name}-copy")
            path.write_text(text, encoding="utf-8")
        Image.new("RGB", (1280, 2000), "white").save(folder / "png" / "p001-b1-t1.jpg")
        return folder

    return write


@pytest.fixture
def raw_folder(tmp_path) -> Path:
    """The same trial as ``replay_document`` in the published layout; timestamps start at 1000000."""
    folder = tmp_path / "raw"
    files = {
        "fixation-data/p001-b1-t1.csv": "timestamp,FPOGX,FPOGY,FPOGD\n1000300,200,200,250\n1001200,200,340,400\n"
        "1001500,900,200,90\n1001600,200,500,80\n",
        "mouse-movement-data/p001-b1-t1.csv": "timestamp,xpos,ypos,event,xpath\n1000000,0,0.0,load,/\n"
        "1000100,400,400.0,mousemove,/a\n1000450,440,410.0,mouseover,/b\n1000500,0,20.0,scroll,/\n"
        "1000900,400,680.0,mousemove,/a\n1001490,400,680.0,mousedown,/a\n1001500,400,680.0,click,/a\n",
        "ad-boundary-data/p001-b1-t1.json": json.dumps(
            {"native_ad": [box(162, 150, 540, 100)], "dd_top": [], "dd_right": [box(802, 100, 221, 400)]}
        ),
        "trial-metadata/p001-b1-t1.xml": '<?xml version="1.0" encoding="UTF-8"?>\n<data>\n'
        " <url>http://localhost/page.php?q=buy-tea-kettle#cns=1&amp;cns=1</url>\n <window>2560x2046</window>\n"
        " <task>batch_1_trial_1 | buy-tea-kettle</task>\n</data>\n",
        "participants.csv": "participant_id,gender\np001,Female\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "full-page-screenshots").mkdir()
    Image.new("RGB", (1280, 2000), "white").save(folder / "full-page-screenshots" / "p001-b1-t1.png")
    return folder

"""Screens: token areas, tiles and letterbox, features kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from baselines.backbones.features import FeatureStore
from baselines.backbones.geometry import tiling, token_boxes
from baselines.backbones.loading import load_backbone
from baselines.probing.relevance import overlap_matrix
from tasks.errors import InputError
from tasks.types import ScreenImage
from tests.baselines.backbones import tiny

SIZES = [(60, 40), (40, 60), (100, 30), (33, 47), (64, 64)]


def variants(checkpoints, tmp_path):
    yield load_backbone(checkpoints["qwen3_vl"], features=None)
    yield load_backbone(checkpoints["internvl"], features=None)
    yield load_backbone(tiny.save("internvl", tmp_path, fit="letterbox"), features=None)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_a_lit_slot_lights_that_slot(checkpoints, tmp_path, size):
    """The features that change when one slot lights up are, by their boxes, in that slot."""
    for backbone in variants(checkpoints, tmp_path):
        tiny.local(backbone)
        session = tiny.session("ABCDEF", *size, columns=3 if size[0] >= size[1] else 2)
        dark = np.full((size[1], size[0], 3), 60, dtype=np.uint8)
        before = backbone.encode_screen(tiny.encoded(dark))
        overlap = overlap_matrix(before.patch_boxes, session.slots)
        covered = (before.patch_boxes[:, 2:] > before.patch_boxes[:, :2]).all(1)
        assert overlap[covered].sum(1) == pytest.approx(1.0)
        assert not overlap[~covered].any()
        for k, slot in enumerate(session.slots):
            lit = dark.copy()
            x0, y0, x1, y1 = np.round(slot.box).astype(int)
            lit[y0:y1, x0:x1] = (250, 240, 20)
            after = backbone.encode_screen(tiny.encoded(lit))
            change = (after.embeds - before.embeds).norm(dim=1).double().numpy()
            shares = change @ overlap
            assert shares.argmax() == k, (backbone.name, backbone.settings.fit, k, shares)
            assert shares[k] > 1.5 * np.delete(shares, k).max()
            # Resampling reaches over a slot's edge by a token at most: tokens further off do not change.
            box = before.patch_boxes
            reach = (box[:, 2:] - box[:, :2]).max()
            far = (
                (box[:, 0] > x1 + reach)
                | (box[:, 2] < x0 - reach)
                | (box[:, 1] > y1 + reach)
                | (box[:, 3] < y0 - reach)
            )
            assert change[far].max(initial=0.0) <= 1e-3 * change.max()


@pytest.mark.parametrize("size", SIZES)
def test_tiles_are_those_of_the_model_s_own_image_processor(checkpoints, size):
    backbone = load_backbone(checkpoints["internvl"], features=None)
    image = Image.fromarray(tiny.noise(*size))
    own = backbone.processor.image_processor(image, crop_to_patches=True, return_tensors="pt")
    pixels = backbone.pixels(image)
    assert pixels.grid == (int(own["num_patches"][0]), 4, 4)
    torch.testing.assert_close(pixels.arguments["pixel_values"], own["pixel_values"], rtol=1e-5, atol=1e-5)


def test_letterbox_boxes_by_hand():
    # 100 x 50 into a square of 32: 32 x 16 pixels, 8 rows of bar above and below; 4 x 4 tokens of 8 pixels.
    plan = tiling((100, 50), 32, (1, 1), "letterbox")
    assert (plan.resized, plan.paste) == ((32, 16), (0, 8))
    boxes = token_boxes(plan.windows, 4, 4, (100, 50)).reshape(4, 4, 4)
    assert boxes[1].tolist() == [[0, 0, 25, 25], [25, 0, 50, 25], [50, 0, 75, 25], [75, 0, 100, 25]]
    assert boxes[2, 3].tolist() == [75, 25, 100, 50]
    for bar in (0, 3):
        assert (boxes[bar, :, 1] == boxes[bar, :, 3]).all()


def test_letterbox_boxes_where_the_resized_side_is_rounded():
    # 100 x 33 becomes 32 x 11 (10.56 rounded) with 10 rows above: 100 / 32 and 33 / 11 screen pixels per pixel.
    plan = tiling((100, 33), 32, (1, 1), "letterbox")
    assert (plan.resized, plan.paste) == ((32, 11), (0, 10))
    boxes = token_boxes(plan.windows, 4, 4, (100, 33)).reshape(4, 4, 4)
    assert boxes[0, 0].tolist() == [0, 0, 25, 0]
    assert boxes[1, 1].tolist() == [25, 0, 50, 18]
    assert boxes[2, 3].tolist() == [75, 18, 100, 33]
    tall = token_boxes(tiling((33, 100), 32, (1, 1), "letterbox").windows, 4, 4, (33, 100)).reshape(4, 4, 4)
    assert tall[1, 1].tolist() == [0, 25, 18, 50]


def test_tile_boxes_by_hand():
    # 100 x 50 onto 2 x 1 tiles of 2 x 2 tokens, then the whole view.
    plan = tiling((100, 50), 32, (2, 1), "tile")
    boxes = token_boxes(plan.windows, 2, 2, (100, 50)).tolist()
    assert boxes[:4] == [[0, 0, 25, 25], [25, 0, 50, 25], [0, 25, 25, 50], [25, 25, 50, 50]]
    assert boxes[4] == [50, 0, 75, 25]
    assert boxes[8:] == [[0, 0, 50, 25], [50, 0, 100, 25], [0, 25, 50, 50], [50, 25, 100, 50]]
    assert tiling((100, 50), 32, (1, 1), "tile").whole is False


@given(
    st.integers(8, 300),
    st.integers(8, 300),
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from(["tile", "letterbox"]),
)
def test_token_areas_cover_the_screen_once(width, height, columns, rows, fit):
    plan = tiling((width, height), 32, (columns, rows), fit)
    boxes = token_boxes(plan.windows, 4, 4, (width, height))
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    assert (boxes[:, :2] <= boxes[:, 2:]).all() and (area >= 0).all()
    views = 2 if plan.whole else 1
    assert area.sum() == pytest.approx(views * width * height)


class Counter:
    """Counts the calls of a model's vision tower."""

    def __init__(self, backbone):
        self.calls = 0
        tower = (
            backbone.model.model.visual
            if hasattr(backbone.model.model, "visual")
            else backbone.model.model.vision_tower
        )
        tower.register_forward_hook(self)

    def __call__(self, *_):
        self.calls += 1


def test_the_vision_tower_runs_once_per_distinct_screen(folder, tmp_path):
    backbone = load_backbone(folder, features=tmp_path)
    counter = Counter(backbone)
    sessions = [tiny.session(seed=seed, profile=profile) for seed in (0, 1) for profile in ("Drama", "Comedy")]
    for _ in range(3):
        tiny.token_scores(backbone, sessions, [torch.ones(2, 32)] * 4, "suffix")
    assert counter.calls == backbone.store.computed == 2

    again = load_backbone(folder, features=tmp_path)
    counter = Counter(again)
    first = again.encode_screen(sessions[0].image)
    assert counter.calls == 0
    fresh = backbone.encode_screen(sessions[0].image)
    assert torch.equal(first.embeds, fresh.embeds) and first.size == fresh.size and first.grid == fresh.grid
    assert np.array_equal(first.patch_boxes, fresh.patch_boxes)
    assert len(first.deepstack) == len(fresh.deepstack)
    assert all(torch.equal(a, b) for a, b in zip(first.deepstack, fresh.deepstack, strict=True))


def test_default_features_lie_in_the_user_s_cache_by_model(checkpoints, own_cache):
    one, two = (load_backbone(checkpoints[kind]) for kind in tiny.KINDS)
    assert one.store.folder.parent == two.store.folder.parent == own_cache / "features"
    assert one.store.folder != two.store.folder
    assert load_backbone(checkpoints["qwen3_vl"], dtype="bfloat16").store.folder != one.store.folder


def test_a_pil_image_and_its_file_give_the_same_features(backbone):
    session = tiny.session()
    one, two = backbone.encode_screen(session.image), backbone.encode_screen(session.image.open())
    assert torch.equal(one.embeds, two.embeds)


def test_memory_is_limited_and_the_oldest_leave(backbone):
    screens = [tiny.encoded(tiny.noise(seed=seed)) for seed in range(3)]
    size = backbone.encode_screen(screens[0]).nbytes
    backbone.store = FeatureStore(None, limit=2 * size)
    for screen in screens:
        backbone.encode_screen(screen)
    assert len(backbone.store._kept) == 2 and backbone.store._bytes == 2 * size
    backbone.encode_screen(screens[2])
    assert backbone.store.computed == 3
    # Asked for again, screen 1 stays when screen 0 comes back, and 2 leaves.
    backbone.encode_screen(screens[1])
    backbone.encode_screen(screens[0])
    assert backbone.store.computed == 4
    backbone.encode_screen(screens[1])
    assert backbone.store.computed == 4
    backbone.encode_screen(screens[2])
    assert backbone.store.computed == 5


def test_a_damaged_feature_file_is_computed_anew(folder, tmp_path, caplog):
    screen = tiny.encoded(tiny.noise())
    wanted = load_backbone(folder, features=tmp_path).encode_screen(screen)
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    again = load_backbone(folder, features=tmp_path)
    assert torch.equal(again.encode_screen(screen).embeds, wanted.embeds)
    assert again.store.computed == 1 and "unreadable" in caplog.text
    assert load_backbone(folder, features=tmp_path).store._read(screen.digest()) is not None


def test_an_unwritable_cache_costs_time_not_the_run(folder, tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    backbone = load_backbone(folder, features=tmp_path / "file" / "below")
    backbone.encode_screen(tiny.encoded(tiny.noise()))
    backbone.encode_screen(tiny.encoded(tiny.noise(seed=1)))
    assert caplog.text.count("stay in memory only") == 1


def test_files_are_limited_too(folder, tmp_path, caplog):
    backbone = load_backbone(folder, features=tmp_path)
    screens = [tiny.encoded(tiny.noise(seed=seed)) for seed in range(4)]
    size = backbone.encode_screen(screens[0]).nbytes
    backbone.store = FeatureStore(tmp_path, disk_limit=round(3.5 * size))
    for screen in screens:
        backbone.encode_screen(screen)
    assert len(list(tmp_path.iterdir())) in (2, 3) and caplog.text.count("no more are written") == 1


@pytest.mark.parametrize("size", [(7, 40), (40, 7), (1, 1)])
def test_a_screen_smaller_than_a_patch_is_refused(backbone, size):
    with pytest.raises(InputError, match=f"{size[0]} x {size[1]} pixels, smaller than one patch of 8 x 8"):
        backbone.encode_screen(Image.new("RGB", size))


def test_a_hopeless_aspect_ratio_is_refused(checkpoints):
    backbone = load_backbone(checkpoints["qwen3_vl"], features=None)
    with pytest.raises(InputError, match="cannot be read: absolute aspect ratio"):
        backbone.encode_screen(Image.new("RGB", (2000, 8)))


def test_a_screen_that_does_not_open_is_refused(backbone):
    with pytest.raises(InputError, match="does not open"):
        backbone.encode_screen(ScreenImage(data=b"no image"))


def test_nan_in_pixels_and_features_is_refused(backbone):
    mean = backbone.processor.image_processor.image_mean
    backbone.processor.image_processor.image_mean = [float("nan")] * 3
    with pytest.raises(InputError, match="normalised screen holds NaN"):
        backbone.encode_screen(tiny.encoded(tiny.noise()))
    backbone.processor.image_processor.image_mean = mean
    tower = (
        backbone.model.model.visual
        if hasattr(backbone.model.model, "visual")
        else backbone.model.model.multi_modal_projector
    )
    with torch.no_grad():
        list(tower.parameters())[-1].fill_(torch.inf)
    with pytest.raises(InputError, match="screen features of .* hold NaN"):
        backbone.encode_screen(tiny.encoded(tiny.noise()))

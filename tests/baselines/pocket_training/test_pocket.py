"""The pocket stand-ins: their parts, the shipped folders, and what their cards claim as far as it is cheap to check."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from baselines.backbones.loading import load_backbone
from baselines.backbones.pocket import NAMES, WEIGHTS
from baselines.pocket_training import population, result_pages
from baselines.pocket_training import screens as drawing
from baselines.pocket_training.__main__ import main
from baselines.pocket_training.architecture import GROUNDING, LARGEST_NUMBER, LETTERS, PERSONA, Shape, build_tokenizer
from baselines.pocket_training.curriculum import Pool, Schedule
from baselines.pocket_training.screens import LABELS, TEST_FILMS, TRAIN_FILMS, FilmStock, profile_text, slots
from baselines.pocket_training.sequences import Seen, Sequences, Soft
from baselines.pocket_training.training import settings, train
from baselines.probing.registry import create
from baselines.simulators import examination
from baselines.tuning.reading import read_sessions
from tasks.errors import InputError
from tasks.recgaze import sample
from tasks.recgaze.posters import GENRES
from tasks.recgaze.sample_films import invent_films
from tasks.snacks import layouts
from tasks.snacks.screen import SIZE, even_boxes
from tasks.types import Fixation, ScreenImage, Slot, Stimulus
from tests.baselines.backbones import tiny
from tests.performance.pockets_on_simulations import reading

CLASSES = {"pocket-qwen3vl": "Qwen3VLForConditionalGeneration", "pocket-internvl": "InternVLForConditionalGeneration"}
LOG_PROBABILITIES: dict[str, list[float]] = {
    "pocket-qwen3vl": [
        -1.7235,
        -0.7316,
        -3.1646,
        -3.7103,
        -3.8031,
        -2.3926,
        -3.442,
        -4.4828,
        -4.4374,
        -4.5882,
        -2.9687,
        -3.9295,
        -4.9783,
        -4.7975,
        -4.7592,
    ],
    "pocket-internvl": [
        -1.5328,
        -0.8915,
        -2.9941,
        -3.6719,
        -4.0646,
        -2.447,
        -3.0742,
        -3.9991,
        -4.7398,
        -5.1738,
        -2.9535,
        -3.8148,
        -4.3152,
        -4.0994,
        -4.4493,
    ],
}
"""Of the letters, on the first of the screens below with the profile below, as the shipped weights gave them."""
PROFILE = "Top_genre: Horror, Preferred_genres: Crime, Horror, Sci-Fi"


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def backbone(name):
    return load_backbone(WEIGHTS / name, device="cpu", dtype="float32", features=None)


@pytest.fixture(scope="module")
def screens():
    return drawing.draw("carousel", 6, np.random.default_rng(5), lambda picture: picture, TEST_FILMS)


@pytest.fixture(scope="module")
def pages():
    return drawing.draw("page", 8, np.random.default_rng(6), lambda picture: picture.resize((640, 512)))


def encoded(pixels) -> ScreenImage:
    import io

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return ScreenImage(data=buffer.getvalue())


def session(pixels, profile=PROFILE, places=None) -> Stimulus:
    return Stimulus("s", "u", "1", encoded(pixels), profile, slots() if places is None else places)


# Tokenizer


def ids(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False)


def test_answers_are_one_token_each(name):
    tokenizer = build_tokenizer(name)
    answers = [*LETTERS, *(str(number) for number in range(1, LARGEST_NUMBER + 1))]
    found = [ids(tokenizer, answer) for answer in answers]
    assert all(len(tokens) == 1 for tokens in found)
    assert len({tokens[0] for tokens in found}) == len(answers)


def test_profile_is_words_and_unknown_words_are_spelled(name):
    tokenizer = build_tokenizer(name)
    words = ["Top_genre", ":", "Sci-Fi", ",", "Preferred_genres", ":", "Action", ",", "Sci-Fi"]
    assert tokenizer.tokenize("Top_genre: Sci-Fi, Preferred_genres: Action, Sci-Fi") == words
    assert tokenizer.tokenize("Search query: tea") == ["Search", "query", ":", "t", "##e", "##a"]
    assert tokenizer.unk_token_id not in ids(tokenizer, "buy Orvane O107 bike-pump, under_20 $ 1999!")
    assert tokenizer.tokenize("é") == [tokenizer.unk_token]


def test_persona_words_come_from_no_profile(backbone):
    """A query that spells a persona word must not steer the model."""
    tokenizer = backbone.processor.tokenizer
    special = set(tokenizer.convert_tokens_to_ids([*PERSONA, *GROUNDING]))
    blank = np.zeros((288, 480, 3), dtype=np.uint8)
    text = backbone.processor.conversation.tokens(session(blank, f"Search query: {PERSONA[0]} lamp {GROUNDING[0]}"))
    assert not special & {*text.before, *text.after}


# Simulated users and screens


def test_films_are_not_those_of_the_sample():
    seen = {(film.title, str(film.year)) for film in invent_films(np.random.default_rng((sample.SEED, 0)))}
    stocks = [
        {(film.title, film.year) for films in FilmStock(seed).films.values() for film in films}
        for seed in (TRAIN_FILMS, TEST_FILMS)
    ]
    assert not stocks[0] & seen and not stocks[1] & seen and not stocks[0] & stocks[1]
    assert len(stocks[0]) == 900


def test_clicks_follow_gaze_and_a_little_chance():
    """By hand: squares of .5 and .3 are .25 and .09, of sum .34; the third place is no slot."""
    crowd = population.Crowd((0.0,), (1.0,), sharpness=1.0, noise=0.0, power=2.0, chance=0.1)
    there = np.array([[True, True, False]])
    chances = population.click_chances(crowd, np.zeros((1, 3, 1)), there, np.array([[0.5, 0.3, 0.0]]))
    np.testing.assert_allclose(chances, [[0.9 * 0.25 / 0.34 + 0.05, 0.9 * 0.09 / 0.34 + 0.05, 0.0]])
    clicks = population.draw(np.repeat(chances, 40_000, axis=0), np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(clicks, minlength=3) / len(clicks), chances[0], atol=0.008)


def test_gaze_goes_to_liked_genres(screens):
    wanted = drawing.want("carousel", screens, np.random.default_rng(1))
    found = population.expected(population.CROWDS["carousel"], wanted.features, screens.there, np.random.default_rng(2))
    np.testing.assert_allclose(found.gaze.sum(1), 1.0)
    upper = np.arange(15) < 5
    liked = np.array(
        [
            row[upper & (kind == 0)].mean()
            for row, kind in zip(found.gaze, wanted.liked, strict=True)
            if 0 in kind[upper]
        ]
    )
    other = np.array(
        [
            row[upper & (kind == 2)].mean()
            for row, kind in zip(found.gaze, wanted.liked, strict=True)
            if 2 in kind[upper]
        ]
    )
    assert liked.min() > other.mean()


def test_people_on_result_pages_are_those_of_the_examination_prior(pages):
    """The mean person's score of a slot is the prior's, up to a constant."""
    scores = drawing.page_features(pages) @ np.array(population.CROWDS["page"].mean)
    prior = examination.ExaminationPrior()
    for row in range(len(pages)):
        k = int(pages.there[row].sum())
        kinds = [result_pages.KINDS[word] for word in pages.words[row, :k]]
        places = tuple(
            Slot("1", kind, "", tuple(box)) for kind, box in zip(kinds, pages.boxes[row, :k].tolist(), strict=True)
        )
        shown = session(pages.pixels[row], "", places)
        wanted = prior.score(shown, examination.places(shown))
        np.testing.assert_allclose(scores[row, :k] - scores[row, 0], wanted - wanted[0], atol=1e-9)
    assert {True, False} == set(pages.scrolled.tolist())
    assert 2 <= pages.there.sum(1).min() and pages.there.sum(1).max() <= result_pages.MOST


def test_ratings_are_told_as_the_task_tells_them():
    """The text of a row of snacks, and of a grid, is the one that the task makes of the same ratings."""
    drawn = drawing.draw("grid", 50, np.random.default_rng(3), lambda picture: picture)
    for k in (3, 9):
        shown = drawn.take(np.flatnonzero(drawn.there.sum(1) == k)[:2])
        wanted = drawing.want("grid", shown, np.random.default_rng(4))
        for row, text in enumerate(wanted.texts):
            # Features and texts are of the same ratings: the best rated is named first.
            names = [drawing.WORDS["grid"][word] for word in shown.words[row]]
            names = names if k > 6 else [f"snack {name}" for name in names]
            first = text.removeprefix("Own ratings of the snacks shown, best to worst: ").split(" (")[0]
            assert wanted.features[row, names.index(first), 3] == wanted.features[row, :, 3].max()
            said = dict(part.rstrip(")").split(" (") for part in text.split(": ")[1].split(", "))
            given = [float(said[name]) for name in names]
            trial = layouts.Trial(
                "1", "1", "", names, given, even_boxes(k, 1), 0, 900.0, gazes=[Fixation(0, 0.0, 300.0)]
            )
            told = layouts.session_of(trial, layouts.GAZES, SIZE, Counter())
            assert told.profile == text


# The shipped folders


def test_size_on_disk():
    for folder in WEIGHTS.iterdir():
        assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 8_000_000
    assert sorted(folder.name for folder in WEIGHTS.iterdir()) == sorted(NAMES)


def test_loads_with_plain_from_pretrained(name):
    import transformers

    folder = WEIGHTS / name
    model = getattr(transformers, CLASSES[name]).from_pretrained(folder, local_files_only=True)
    assert model.dtype == torch.bfloat16
    assert 1_000_000 <= model.num_parameters() <= 3_000_000
    assert transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True).chat_template
    assert f"{model.num_parameters():,} parameters" in (folder / "README.md").read_text()


def test_settings_are_those_of_training(name, backbone):
    assert backbone.settings == settings(name)
    assert name in backbone.notice and "not a published model" in backbone.notice


def test_card_says_what_it_is(name):
    text = (WEIGHTS / name / "README.md").read_text()
    record = json.loads((WEIGHTS / name / "training.json").read_text())
    assert f"# {name}: a pocket stand-in, not " in text
    assert "Attention was shaped" in text and record["schedule"]["attention"] > 0 and not record["plain"]
    assert "No real page" in text and str(WEIGHTS) not in text
    rows = {cells[1].strip(): cells[2:-1] for line in text.splitlines() if len(cells := line.split("|")) > 4}
    assert [kind.strip() for kind in rows["measured"]] == list(LABELS)
    accuracy, chance = ([float(v) for v in rows[key]] for key in ("accuracy", "... of chance"))
    assert accuracy[0] > 5 * chance[0] and accuracy[1] > 1.5 * chance[1]
    # What is not learned is said, for as long as it is not.
    assert (accuracy[2] < 2 * chance[2]) == ("Not learned: to find the best rated" in " ".join(text.split()))
    assert record["processor_seconds"] <= 60 * 60 and f"{record['processor_seconds'] / 60:.1f} minutes" in text


@pytest.mark.parametrize(("kind", "mark", "word"), [("carousel", 0.95, 0.7), ("page", 0.4, 0.65), ("grid", 0.75, 0.5)])
def test_reads_marks_and_what_slots_show_on_unseen_screens(backbone, kind, mark, word):
    sequences = Sequences(backbone)
    pool = Pool(kind, drawing.draw(kind, 12, np.random.default_rng(8), sequences.fit, TEST_FILMS), sequences)
    pool.look()
    found = reading(sequences, pool)
    assert found["mark read from image tokens"] > mark and found["genre, kind or name read from image tokens"] > word


def test_answers_as_recorded(name, backbone, screens):
    [found] = tiny.token_scores(backbone, [session(screens.pixels[0])])
    np.testing.assert_allclose(np.log(found), LOG_PROBABILITIES[name], atol=2e-3)


@pytest.mark.slow
def test_profile_changes_the_answer(backbone, screens):
    """The film picked for a lover of one genre shows that genre, where the screen has one in the upper rows."""
    hits = tries = 0
    for pixels, genres in zip(screens.pixels, screens.words, strict=True):
        for genre in sorted(set(genres[:10].tolist())):
            profile = profile_text(GENRES[genre], [GENRES[genre]])
            [found] = tiny.token_scores(backbone, [session(pixels, profile)])
            hits += genres[found.argmax()] == genre
            tries += 1
    assert hits / tries > 0.8


def test_numbers_are_answered_on_another_screen_size(backbone):
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 255, (512, 640, 3), dtype=np.uint8)
    places = tuple(
        Slot(str(k + 1), "organic_result", "", (80.0, 40.0 * k + 10, 370.0, 40.0 * k + 45)) for k in range(12)
    )
    shown = session(pixels, "Search query: buy orvane o107 tea kettle", places)
    [found] = tiny.token_scores(backbone, [shown])
    assert found.shape == (12,) and found.sum() == pytest.approx(1.0)
    [(attention, _)] = read_sessions(backbone, [shown], create("attnlrp-stable"))
    assert attention is not None and attention.shape == (12,) and (attention > 0).all()


# Training


@pytest.mark.slow
@pytest.mark.parametrize("placement", ["prefix", "suffix"])
@pytest.mark.parametrize("length", [0, 3])
def test_training_sequences_are_those_of_the_interface(name, screens, placement, length):
    """What training feeds the decoder equals what ``build`` makes of the same session, and so do the logits."""
    vlm = load_backbone(WEIGHTS / name, device="cpu", dtype="float32", features=None)
    prompt = torch.randn(length, vlm.width, generator=torch.Generator().manual_seed(0)) * 0.1
    wanted = [vlm.build(session(pixels), prompt, placement) for pixels in screens.pixels[:2]]
    logits = torch.cat([vlm.logits(one) for one in wanted]).log_softmax(-1)

    sequences = Sequences(vlm)
    with torch.no_grad():
        shown = screens.take(np.arange(2))
        soft = Soft(prompt.expand(2, -1, -1), placement) if length else None
        batch = sequences.batch("carousel", [PROFILE] * 2, shown.pixels, sequences.see(shown.pixels), soft)
        answers, _ = sequences.answer(batch)
        free = sequences.answers["carousel"].expand(2, -1)
        probed, shares = sequences.relevance(batch, sequences.onto(shown)[0], "attnlrp-stable", free)
    for row, one in enumerate(wanted):
        torch.testing.assert_close(batch.inputs.inputs_embeds[row], one.inputs_embeds[0], atol=1e-5, rtol=1e-4)
        assert torch.equal(batch.inputs.position_ids[..., row, :], one.position_ids[..., 0, :])
        assert int(one.image_index[0][0]) == batch.image_start
    torch.testing.assert_close(answers, logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(probed, logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(shares.sum(1), torch.ones(2))


def test_screens_join_in_order():
    parts = [Seen(torch.full((1, 2, 3), float(i)), (torch.full((1, 2, 3), -float(i)),)) for i in range(3)]
    joined = Seen.join(parts)
    assert joined.embeds[:, 0, 0].tolist() == [0, 1, 2]
    assert joined.take(torch.tensor([2])).deepstack[0].unique().tolist() == [-2]


KINDS = ("carousel", "page", "grid")
MICRO = Schedule(
    captions=1,
    caption_batch=tuple((kind, 1) for kind in KINDS),
    answers=3,
    answer_batch=2,
    personas=6,
    persona_batch=4,
    screens=tuple((kind, 4) for kind in KINDS),
)
NARROW = Shape(width=32, layers=2, heads=2, groups=1, feedforward=32, vision_width=32, vision_heads=2, vision_layers=1)


@pytest.mark.slow
def test_same_seed_same_weights(name, tmp_path):
    from safetensors.torch import load_file

    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(name, tmp_path / out, seed=seed, threads=1, plain=out == "c", schedule=MICRO, shape=NARROW)
    a, b, c = (load_file(tmp_path / out / "model.safetensors") for out in "abc")
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert any(not torch.equal(a[key], c[key]) for key in a)
    assert json.loads((tmp_path / "c" / "training.json").read_text())["schedule"]["attention"] == 0
    loaded = load_backbone(tmp_path / "a", device="cpu", features=None)
    assert loaded.settings == settings(name)
    assert tiny.token_scores(loaded, [session(np.zeros((288, 480, 3), dtype=np.uint8))])[0].shape == (15,)


def test_bad_arguments(tmp_path, capsys):
    with pytest.raises(InputError, match="Did you mean 'pocket-qwen3vl'"):
        train("pocket-qwen", tmp_path / "x")
    assert not (tmp_path / "x").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("kept")
    assert main(["--name", "pocket-qwen3vl", "--out", str(tmp_path / "full")]) == 2
    assert "is not empty" in capsys.readouterr().err
    with pytest.raises(InputError, match="threads >= 1"):
        train("pocket-qwen3vl", tmp_path / "y", threads=0)

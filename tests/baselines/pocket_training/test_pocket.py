"""The pocket stand-ins: their parts, the shipped folders, and what their cards claim as far as it is cheap to check."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from baselines.backbones.loading import load_backbone
from baselines.backbones.pocket import NAMES, WEIGHTS
from baselines.pocket_training import population
from baselines.pocket_training.__main__ import main
from baselines.pocket_training.architecture import GROUNDING, LARGEST_NUMBER, LETTERS, PERSONA, Shape, build_tokenizer
from baselines.pocket_training.curriculum import Schedule
from baselines.pocket_training.population import TEST_FILMS, TRAIN_FILMS, FilmStock, slots
from baselines.pocket_training.sequences import Seen, Sequences, Soft
from baselines.pocket_training.training import settings, train
from baselines.probing.registry import create
from baselines.tuning.reading import read_sessions
from tasks.errors import InputError
from tasks.recgaze import sample
from tasks.recgaze.posters import GENRES
from tasks.recgaze.sample_films import invent_films
from tasks.types import ScreenImage, Slot, Stimulus
from tests.baselines.backbones import tiny
from tests.performance.pockets_on_simulations import reading, table

CLASSES = {"pocket-qwen3vl": "Qwen3VLForConditionalGeneration", "pocket-internvl": "InternVLForConditionalGeneration"}
LOG_PROBABILITIES: dict[str, list[float]] = {
    "pocket-qwen3vl": [
        -1.7003,
        -0.7685,
        -3.3594,
        -3.7417,
        -3.8343,
        -2.4463,
        -3.3334,
        -4.4745,
        -4.9683,
        -4.8644,
        -2.8296,
        -3.4478,
        -4.3854,
        -4.5400,
        -4.4867,
    ],
    "pocket-internvl": [
        -1.8276,
        -0.8040,
        -2.1622,
        -3.5062,
        -3.4669,
        -2.5198,
        -3.7567,
        -4.0942,
        -4.7709,
        -4.6207,
        -3.4180,
        -4.1589,
        -4.3257,
        -4.9792,
        -4.8253,
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
    return FilmStock(TEST_FILMS).screens(6, np.random.default_rng(5))


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


def test_click_chances_by_hand():
    gaze = np.array([[0.5, 0.3, 0.2]])
    np.testing.assert_allclose(population.click_chances(gaze), [[0.78, 0.208, 0.012]])


def test_clicks_follow_their_chances():
    gaze = np.repeat([[0.5, 0.3, 0.2]], 40_000, axis=0)
    clicks = population.draw(population.click_chances(gaze), np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(clicks) / len(clicks), [0.78, 0.208, 0.012], atol=0.008)


def test_gaze_goes_to_liked_genres_and_habits_are_centred():
    rng = np.random.default_rng(1)
    genres = np.tile(np.arange(15) % 10, (4000, 1))
    profiles = population.Profiles(np.full(4000, 7), np.tile(np.arange(10) == 7, (4000, 1)))
    people = population.invent_habits(4000, rng)
    gaze = population.gaze_shares(genres, profiles, people, rng)
    np.testing.assert_allclose(gaze.sum(1), 1.0)
    assert gaze.mean(0).argmax() == 7 and gaze.mean(0)[7] > 0.3
    assert np.abs(people.traits().mean(0)).max() < 0.1
    assert profiles.texts()[0] == f"Top_genre: {GENRES[7]}, Preferred_genres: {GENRES[7]}"


# The shipped folders


def test_size_on_disk():
    files = [path for folder in WEIGHTS.iterdir() for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 8_000_000
    assert sorted(folder.name for folder in WEIGHTS.iterdir()) == sorted(NAMES)


def test_loads_with_plain_from_pretrained(name):
    import transformers

    folder = WEIGHTS / name
    model = getattr(transformers, CLASSES[name]).from_pretrained(folder, local_files_only=True)
    assert model.dtype == torch.bfloat16
    assert 1_500_000 <= model.num_parameters() <= 3_000_000
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
    assert "plain variant |" in text and str(WEIGHTS) not in text
    values = {cells[1].strip(): cells[2].strip() for line in text.splitlines() if len(cells := line.split("|")) > 3}
    assert float(values["genre read from image tokens"].rstrip("%")) > 95
    accuracy = next(value for key, value in values.items() if key.startswith("held-out sample"))
    assert float(accuracy) >= 0.2
    assert record["processor_seconds"] <= 12 * 60


def test_reads_genre_and_letter_on_unseen_screens(backbone, screens):
    found = reading(Sequences(backbone), screens.pixels, screens.genres)
    assert found.genre > 0.95
    assert found.letter > 0.95


def test_answers_as_recorded(name, backbone, screens):
    [found] = tiny.token_scores(backbone, [session(screens.pixels[0])])
    np.testing.assert_allclose(np.log(found), LOG_PROBABILITIES[name], atol=2e-3)


@pytest.mark.slow
def test_profile_changes_the_answer(backbone, screens):
    """The film picked for a lover of one genre shows that genre, where the screen has one in the upper rows."""
    hits = tries = 0
    for pixels, genres in zip(screens.pixels, screens.genres, strict=True):
        for genre in sorted(set(genres[:10].tolist())):
            profile = population.profile_text(GENRES[genre], [GENRES[genre]])
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
        seen = sequences.see(screens.pixels[:2])
        soft = Soft(prompt.expand(2, -1, -1), placement) if length else None
        batch = sequences.batch([PROFILE] * 2, seen, soft)
        answers, _ = sequences.answers(batch)
        probed, shares = sequences.relevance(batch)
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


MICRO = Schedule(captions=2, caption_batch=2, answers=2, answer_batch=4, personas=3, persona_batch=4, pool=40)
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
    with pytest.raises(InputError, match="give the folder of a pocket stand-in"):
        table(tmp_path / "full")

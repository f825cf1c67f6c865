"""What a trial's identity depends on: declared behaviour versions, what is shown, and the recorded columns it reads."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import sys
from types import SimpleNamespace

import pytest

from baselines import registry
from baselines.backbones import registry as backbones
from baselines.probing import registry as probing
from baselines.simulators import prompted
from baselines.simulators.chat import answers
from benchmark.cli import run as cli_run
from benchmark.runs.runner import run
from benchmark.trials import catalogue, content
from benchmark.trials.configuration import RunConfig
from benchmark.trials.content import RECORDED, content_digest, content_digests, made_from
from benchmark.trials.store import TrialStore
from benchmark.trials.trial import expand
from tasks.errors import InputError
from tasks.types import ScreenImage
from tests.benchmark.toys import ToyEntry, Toys

MODELS = ("backbone", "gaze-heads", "fixate", "fixate-suffix", "text", "chat", "position-prior")

SOURCE = '''
from tests.benchmark.toys import Noisy

class Own(Noisy):
    """A simulator of this test."""
'''


def config(*simulators, **values):
    return RunConfig(task="mini", simulators=simulators, reference=simulators[0], seeds=(1, 2), **values)


def identities(task, *simulators, known=registry, **values):
    """Return simulator -> the identity of its first trial."""
    trials = expand(config(*simulators, **values), task, known)
    return {trial.simulator: trial.identity() for trial in reversed(trials)}


class Changed:
    """A task whose sessions have other values."""

    def __init__(self, task, **changes):
        self.task, self.changes = task, changes

    def __getattr__(self, name):
        return getattr(self.task, name)

    def __len__(self):
        return len(self.task)

    def session(self, index):
        found = self.task.session(index)
        return dataclasses.replace(found, **{name: change(found) for name, change in self.changes.items()})


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return a catalogue with one simulator in a package, and a function that rewrites the simulator's source."""
    folder = tmp_path / "package_of_this_test"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(text, behaviour="1"):
        (folder / "own.py").write_text(text)
        for name in [name for name in sys.modules if name.startswith(folder.name)]:
            del sys.modules[name]
        importlib.invalidate_caches()
        catalogue._digest_of.cache_clear()
        known = Toys()
        known.entries = {"own": ToyEntry("own", f"{folder.name}.own:Own", stochastic=True, behaviour=behaviour)}
        return known

    return write


@pytest.mark.slow
def test_a_changed_comment_keeps_the_trials_and_a_raised_version_runs_them_again(mini, tmp_path, package):
    def again(known):
        said = []
        run(config("own"), mini, known, tmp_path / "run", report=said.append)
        return said

    def notes():
        return {record["identity"]: record["source"] for record in stored()}

    def stored():
        paths = sorted((tmp_path / "run" / "trials").glob("*/trial.json"))
        return [{**json.loads(path.read_text()), "identity": path.parent.name} for path in paths]

    assert again(package(SOURCE)) == []
    before = notes()
    changed = package(SOURCE + "\n# a comment\n")
    assert again(changed) == ["2 of 2 trials were finished before and are kept."]
    # The source is a note of what the trial was made with; it does not decide.
    assert notes() == before
    assert set(before.values()) != {catalogue.source_digest(changed.entries["own"].factory)}
    assert again(package(SOURCE, behaviour="2")) == []
    assert len(notes()) == 4 and set(before) < set(notes())
    assert {record["behaviour"] for record in stored()} == {"1", "2"}


@pytest.mark.parametrize(
    ("changes", "moved"),
    [
        (lambda m: m.setattr(registry, "SIMULATORS", raised(registry.SIMULATORS, "fixate")), {"fixate"}),
        (
            lambda m: m.setitem(probing._BY_NAME, "attnlrp-stable", raised([probing.info("attnlrp-stable")])[0]),
            {"backbone", "fixate", "fixate-suffix"},
        ),
        (lambda m: m.setitem(probing._BY_NAME, "gaze-heads", raised([probing.info("gaze-heads")])[0]), {"gaze-heads"}),
        (
            lambda m: m.setitem(backbones.ARCHITECTURES, "qwen3_vl", raised([backbones.ARCHITECTURES["qwen3_vl"]])[0]),
            {"backbone", "gaze-heads", "fixate", "fixate-suffix", "text"},
        ),
        (lambda m: m.setattr(prompted, "BEHAVIOUR", "2"), {"fixate", "fixate-suffix"}),
        (lambda m: m.setattr(answers, "BEHAVIOUR", "another"), {"chat"}),
        (lambda m: m.setattr(catalogue, "_digest_of", lambda path: "other source"), set()),
    ],
    ids=["simulator", "operator", "gaze-heads", "reader", "tuning", "answers", "source"],
)
def test_a_raised_version_moves_what_uses_it_and_nothing_else(mini, monkeypatch, changes, moved):
    before = identities(mini, *MODELS)
    changes(monkeypatch)
    after = identities(mini, *MODELS)
    assert {name for name in before if before[name] != after[name]} == moved


def raised(entries, name=None):
    """Return the entries, with the behaviour of one, or of all, raised."""
    return tuple(
        dataclasses.replace(e, behaviour="raised") if name is None or getattr(e, "name", None) == name else e
        for e in entries
    )


def test_the_place_of_a_class_is_not_part_of_the_identity(mini):
    trial = expand(config("sharp"), mini, Toys())[0]
    assert trial.identity() == dataclasses.replace(trial, factory="elsewhere:Sharp", source="other").identity()


def test_a_recorded_column_moves_what_reads_it_and_nothing_else(mini):
    read = ("uniform", "position-prior", "conditional-logit", "gaze-oracle", "cursor-oracle", "backbone", "fixate")

    def moved(task, **values):
        before, after = (identities(which, *read, **values) for which in (mini, task))
        return {name for name in before if before[name] != after[name]}

    # Sums that were added up in another order are the same recording.
    assert moved(Changed(mini, gaze_ms=lambda s: s.gaze_ms + 1e-9)) == set()
    gaze = Changed(mini, gaze_ms=lambda s: s.gaze_ms + 1)
    cursor = Changed(mini, cursor_ms=lambda s: s.cursor_ms + 1)
    assert moved(gaze) == {"position-prior", "gaze-oracle", "fixate"}
    assert moved(cursor) == {"cursor-oracle"}
    assert moved(cursor, settings={"signal": "both"}) == {"cursor-oracle", "fixate"}
    assert moved(Changed(mini, flags=lambda s: ("odd",))) == set()
    # A simulator that does not say what it reads is taken to read everything.
    for task in (gaze, cursor, Changed(mini, flags=lambda s: ("odd",))):
        assert identities(mini, "sharp", known=Toys()) != identities(task, "sharp", known=Toys())


def test_a_new_column_is_hashed_for_those_that_read_it(mini, monkeypatch):
    from benchmark.trials import trial

    shown, read = content_digests(mini), identities(mini, "fixate", "gaze-oracle")
    everything = identities(mini, "sharp", known=Toys())
    for module in (content, trial):
        monkeypatch.setattr(module, "RECORDED", (*RECORDED, "screen"))  # any field will do as a new column
    content_digests.cache_clear()
    try:
        assert content_digests(mini).stimuli == shown.stimuli
        assert set(content_digests(mini).recording) == {*RECORDED, "screen", "texts"}
        assert identities(mini, "fixate", "gaze-oracle") == read
        assert identities(mini, "sharp", known=Toys()) != everything
    finally:
        content_digests.cache_clear()


@pytest.mark.parametrize(
    ("reads", "message"),
    [("gaze_ms", "must be a tuple of columns"), (("gaze",), "unknown column in reads of sharp: 'gaze'")],
)
def test_reads_that_cannot_be_are_refused(mini, monkeypatch, reads, message):
    from tests.benchmark.toys import Sharp

    monkeypatch.setattr(Sharp, "reads", reads, raising=False)
    with pytest.raises(InputError, match=message):
        expand(config("sharp"), mini, Toys())


def test_other_pixels_are_another_trial_and_other_words_are_for_those_that_read_them(mini):
    reworded = Changed(mini, slots=lambda s: tuple(dataclasses.replace(slot, text="other") for slot in s.slots))
    redrawn = Changed(mini, image=lambda s: ScreenImage(data=s.image.encoded() + b"\0"))
    rated = Changed(mini, slots=lambda s: tuple(dataclasses.replace(slot, rating=1.0) for slot in s.slots))
    found = [identities(task, "uniform", "geometry", "chat", "text") for task in (mini, reworded, redrawn, rated)]
    different = {name: len({one[name] for one in found}) for name in found[0]}
    assert different == {"uniform": 3, "geometry": 3, "chat": 4, "text": 4}
    assert identities(mini, "sharp", known=Toys()) != identities(reworded, "sharp", known=Toys())


def test_texts_that_are_not_there_are_missed_in_one_line(mini, capsys):
    silent = Changed(mini, slots=lambda s: tuple(dataclasses.replace(slot, text="") for slot in s.slots))
    with pytest.raises(InputError, match="have no texts, which geometry-text, text would read: prepare .* --texts"):
        expand(config("uniform", "geometry-text", "text", "chat"), silent, registry)
    with pytest.raises(InputError, match="have no ratings, which rating-prior would read: leave these simulators out"):
        expand(config("uniform", "rating-prior"), mini, registry)
    assert identities(silent, "uniform", "chat")["uniform"] == identities(mini, "uniform")["uniform"]
    asked = config("uniform", "text", "geometry")
    for preset, left in (("full", ("uniform", "geometry")), (None, asked.simulators)):
        given = SimpleNamespace(preset=preset, simulators=None)
        assert cli_run._with_words(given, asked, registry, silent).simulators == left
        assert cli_run._with_words(given, asked, registry, mini) == asked
    assert capsys.readouterr().err == "left out: text; the slots of mini have no texts (prepare with --texts).\n"


def test_data_without_ratings_have_the_digest_that_they_had_before_slots_had_any(mini):
    before = hashlib.sha256()
    for s in mini.sessions_at(range(len(mini))):
        slots = [[slot.label, slot.kind, "", list(slot.box)] for slot in s.slots]
        row = [s.session_id, s.user, s.screen, s.profile, slots, s.image.digest()]
        before.update(json.dumps(row, separators=(",", ":")).encode() + b"\n")
    assert content_digests(mini).stimuli == before.hexdigest()


def test_a_kept_trial_says_whether_it_was_made_from_these_sessions(mini, tmp_path):
    run(config("sharp"), mini, Toys(), tmp_path)
    [record] = TrialStore(tmp_path / "trials").records()
    other = Changed(mini, cursor_ms=lambda s: s.cursor_ms + 1)
    assert made_from(record, mini) and not made_from(record, other)
    with_texts = {**record, "stimuli": content_digest(mini, content._SHOWN)}  # as trials had it before
    assert made_from(with_texts, mini) and with_texts["stimuli"] != record["stimuli"]
    # Up to format 2 a trial has one digest of everything.
    old = {"format": 2, "inputs": content_digest(mini)}
    assert made_from(old, mini) and not made_from(old, other) and not made_from({}, mini)


def test_a_trials_identity_holds_what_can_change_its_outcome(mini):
    (one, two) = expand(config("noisy"), mini, Toys())
    assert one.identity() != two.identity()
    assert expand(config("noisy"), mini, Toys())[0].identity() == one.identity()
    assert json.loads(json.dumps(one.record()))["digest"] == mini.digests["loo"]


def test_a_setting_that_names_material_enters_the_identity_by_its_fingerprint(mini):
    here, there = {"settings": {"model": "/here"}}, {"settings": {"model": "/there"}}
    one, two = expand(config("based", **here), mini, Toys())[0], expand(config("based", **there), mini, Toys())[0]
    assert one.settings["model"] == "/here" and one.identity() == two.identity()
    assert one.identity() != dataclasses.replace(one, material={"model": "another"}).identity()
    # Other settings count as ever.
    assert one.identity() != expand(config("based", settings={"weight": 0.1}), mini, Toys())[0].identity()

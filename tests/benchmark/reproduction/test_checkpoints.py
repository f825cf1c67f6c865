"""What is said of the checkpoints behind the backbones, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from benchmark.reproduction.checkpoints import PUBLISHED, check_architecture, described, in_words, size_note
from benchmark.reproduction.groups import Choice, groups_of
from benchmark.reproduction.section import layouts
from tasks.errors import InputError


@dataclass
class Seen:
    model_type: str = "qwen3_vl"
    parameters: int = 4_437_815_808
    fingerprint: str = "fda35327" + 56 * "0"


def test_a_caption_names_folder_type_size_and_fingerprint():
    said = described("qwen3-vl", "ckpt/mine", Seen())
    assert said == "qwen3-vl = ckpt/mine (qwen3_vl, 4.4 billion parameters, fingerprint fda35327)"
    assert described("qwen3-vl", "pocket-qwen3vl", None) == "pocket-qwen3vl"
    assert described("qwen3-vl", "qwen3-vl", Seen()).startswith("qwen3-vl (qwen3_vl, ")


@pytest.mark.parametrize(
    ("count", "words"),
    [(7, "7"), (21_300, "21 thousand"), (1_785_440, "1.8 million"), (123_400_000, "123 million"), (4e9, "4 billion")],
)
def test_counts_in_words(count, words):
    assert in_words(count) == words


def test_a_checkpoint_far_from_the_published_size_is_said_not_to_be_it():
    assert size_note("qwen3-vl", "ckpt/mine", Seen()) == ""
    assert size_note("qwen3-vl", "ckpt/mine", Seen(parameters=21_300)) == (
        "ckpt/mine has 21 thousand parameters, the published qwen3-vl 4 billion: it is not the published model"
    )


def test_a_checkpoint_of_another_architecture_is_refused_in_one_line():
    with pytest.raises(InputError) as caught:
        check_architecture("internvl3.5", "ckpt/mine", Seen())
    assert str(caught.value) == (
        "ckpt/mine holds a model of type qwen3_vl, but internvl3.5 is of type internvl; give such a checkpoint for "
        "internvl3.5, or say --backbone qwen3-vl=ckpt/mine."
    )
    check_architecture("qwen3-vl", "ckpt/mine", Seen())


def test_the_checkpoints_of_all_groups_are_looked_at():
    main = next(layout for layout in layouts() if layout.name == "main")
    looked = []

    def describe(used):
        looked.append(used)
        return Seen()

    groups = groups_of(main, Choice({"qwen3-vl": "ckpt/mine"}, describe=describe))
    assert looked == ["ckpt/mine"] and all(group.checkpoint == Seen() for group in groups)
    assert {group.shown for group in groups} == {("qwen3-vl", operator) for operator in main.operators}
    with pytest.raises(InputError, match="internvl3.5 is of type internvl"):
        groups_of(main, Choice({"internvl3.5": "ckpt/mine"}, describe=describe))


def test_the_stand_ins_are_of_the_published_architectures():
    from baselines.backbones.checkpoint import describe

    assert {name: describe(one.stand_in).model_type for name, one in PUBLISHED.items()} == {
        name: one.model_type for name, one in PUBLISHED.items()
    }

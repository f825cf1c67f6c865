"""What this project asks of a checkpoint beyond its weights: the words of the question and the order of its parts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tasks.decoding import read_json

FILE = "gazebench.json"
"""An optional file in a checkpoint folder whose keys are fields of ``Settings``."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How sessions are put to a backbone.

    Attributes:
        letters: The question where slots are labelled with letters (RecGaze).
        numbers: The question where slots are labelled with numbers (AdSERP).
        order: ``image-first``: image, then profile and question, so that everything up to the image depends on the
            screen alone; ``profile-first``: profile, image, question.
        fit: How InternVL's square pictures are made of a screen: ``tile`` stretches it onto a grid of tiles, as the
            model was trained, with a whole view at the end; ``letterbox`` shrinks it into one square with bars.
        notice: What every output made with this checkpoint must say, such as that it is a stand-in; empty for none.
    """

    letters: str = (
        "Act as this user. Look at the film page and answer with exactly one letter: "
        "the letter under the film you would pick."
    )
    numbers: str = (
        "Act as the user who made this search. Look at the result page and answer with exactly one number: "
        "the number beside the result you would click."
    )
    order: Literal["image-first", "profile-first"] = "image-first"
    fit: Literal["tile", "letterbox"] = "tile"
    notice: str = ""

    def shaping(self) -> tuple[str, ...]:
        """Return what can change a prediction: everything but the notice."""
        return (self.letters, self.numbers, self.order, self.fit)


def read_settings(folder: Path) -> Settings:
    """Return the settings of a checkpoint folder: the defaults where it has no ``gazebench.json``.

    InputError if the file is not JSON, or holds an unknown key or a value that makes no sense.
    """
    path = folder / FILE
    return read_json(Settings, path, "correct it") if path.is_file() else Settings()

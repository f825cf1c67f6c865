"""How a prepared folder loads by configuration and split: ``datasets.load_dataset(DIR, "loo", split="test")``.

The shards in ``data`` hold every session once, with its screen. A table per part of a split, in ``screens``, names the
screens next to it in place of holding them, so that no configuration costs the pictures again: that is the image folder
of the ``datasets`` library. Without images the tables are plain parquet.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from tasks.columns import features
from tasks.splits import Indices, Split

EVERYTHING = "metadata"
"""The table of all sessions; by this name the library knows an image folder."""


def configurations(splits: Iterable[Split]) -> dict[str, tuple[Indices, Indices]]:
    """Return configuration -> training and test sessions, of usable splits: ``loo``, ``kfold-0``, ..."""
    usable = [split for split in splits if not split.unusable]
    return {name: fold for split in usable for name, fold in zip(_parts(split), split.folds, strict=True)}


def folder_of(images: bool) -> str:
    """Return the folder of the tables: next to the screens, which they name by their files."""
    return "screens" if images else "splits"


def declared(splits: Iterable[Split], images: bool) -> list[dict[str, object]]:
    """Return the configurations as a card declares them, all sessions first."""
    parts = {"default": {"sessions": [EVERYTHING]}}
    for split in splits:
        parts |= {} if split.unusable else _parts(split)
    return [_declared(name, tables, images) for name, tables in parts.items()]


def _declared(name: str, parts: dict[str, list[str]], images: bool) -> dict[str, object]:
    folder, pictures = folder_of(images), ["screens/**/*.png", "screens/**/*.jpg"] if images else []
    data = [{"split": part, "path": [f"{folder}/{t}.parquet" for t in of] + pictures} for part, of in parts.items()]
    named = {"metadata_filenames": [f"{table}.parquet" for of in parts.values() for table in of]} if images else {}
    return {"config_name": name, "data_files": data, **named}


def _parts(split: Split) -> dict[str, dict[str, list[str]]]:
    """Return configuration -> part -> its tables, a configuration per fold."""
    tables = list(_tables(split))
    if len(split.folds) == 1:
        return {split.name: {"train": tables[:1], "test": tables[1:]}}
    return {one: {"train": [other for other in tables if other != one], "test": [one]} for one in tables}


def _tables(split: Split) -> dict[str, Indices]:
    """Return table -> its sessions: the two parts of a split, or what each fold tests."""
    if len(split.folds) == 1:
        return dict(zip((f"{split.name}-train", f"{split.name}-test"), split.folds[0], strict=True))
    return {f"{split.name}-{i}": test for i, (_, test) in enumerate(split.folds)}


def write_tables(folder: Path, shards: Sequence[Path], splits: Iterable[Split], names: Sequence[str | None]) -> None:
    """Write the tables of a prepared folder; ``names`` are the files of the sessions' screens, below ``screens``."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datasets import Features, Value

    kept = Features({name: kind for name, kind in features().items() if name != "image"})
    whole = pa.concat_tables(pq.read_table(shard, columns=list(kept)) for shard in shards)
    if any(names):
        kept = Features({"file_name": Value("string"), **kept})
        whole = whole.add_column(0, "file_name", pa.array(names, pa.string()))
    whole, place = whole.cast(kept.arrow_schema), folder / folder_of(any(names))
    place.mkdir(exist_ok=True)
    parts = {EVERYTHING: np.arange(len(whole))}
    for split in splits:
        parts |= {} if split.unusable else _tables(split)
    for name, indices in parts.items():
        pq.write_table(whole.take(indices), place / f"{name}.parquet")

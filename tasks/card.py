"""The dataset card of a prepared folder, ``README.md`` with YAML front matter, and its Croissant metadata."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tasks.columns import COLUMNS, Kind
from tasks.definition import TaskInfo
from tasks.manifest import Manifest, file_digest
from tasks.splits import DEFAULT_SPLIT, SPLIT_NOTES, column

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def card(info: TaskInfo, manifest: Manifest, configurations: Sequence[Mapping[str, object]]) -> str:
    """Return the Markdown text of the card, which declares how the folder loads by name."""
    title = info.title + (" (simulated sample)" if manifest.simulated else "")
    front_matter = _front_matter(info, manifest, title, configurations)
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return templates.get_template("card.jinja").render(
        info=info,
        manifest=manifest,
        title=title,
        front_matter=yaml.safe_dump(front_matter, sort_keys=False, allow_unicode=True),
        columns=COLUMNS,
        column=column,
        default_split=DEFAULT_SPLIT,
        meanings=SPLIT_NOTES,
    )


def size_category(sessions: int) -> str:
    """Return the hub's size class, such as ``n<1K``."""
    return next((name for bound, name in _SIZES if sessions < bound), "n>1M")


def _front_matter(
    info: TaskInfo, manifest: Manifest, title: str, configurations: Sequence[Mapping[str, object]]
) -> dict[str, object]:
    return {
        **_licence(info, manifest),
        "pretty_name": title,
        "language": ["en"],
        "size_categories": [size_category(manifest.kept)],
        "task_categories": ["visual-question-answering"],
        "tags": ["eye-tracking", "gaze", "click-prediction", "user-simulation"]
        + (["simulated"] if manifest.simulated else []),
        "configs": list(configurations),
    }


def _licence(info: TaskInfo, manifest: Manifest) -> dict[str, str]:
    """Return the hub's licence fields: an SPDX id in lower case, else ``other``."""
    if manifest.simulated:  # part of this project, not the data that info.licence is about
        return {"license": "mit"}
    if re.fullmatch(r"(CC|MIT|Apache|BSD|ODbL|GPL|AGPL|LGPL|PDDL|ODC)[A-Za-z0-9.\-]*", info.licence):
        return {"license": info.licence.lower()}
    return {"license": "other", "license_name": "see-provenance"}


_PARQUET = "application/x-parquet"

_TYPES = {"string": "sc:Text", "int64": "sc:Integer", "float64": "sc:Float", "image": "sc:ImageObject"}
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{
        term: f"cr:{term}"
        for term in (
            *("citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty", "fileSet"),
            *("format", "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet"),
            *("references", "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField"),
            "transform",
        )
    },
}


def croissant(info: TaskInfo, manifest: Manifest, folder: Path, shards: list[Path], images: bool) -> str:
    """Return the JSON-LD text."""
    notice = f"{manifest.notice} " if manifest.simulated else ""
    address = re.search(r"https?://[^\s)>,;]+", info.source)
    metadata: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": f"{manifest.name}{'-simulated-sample' if manifest.simulated else ''}",
        "description": notice + info.description.strip(),
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "citeAs": info.citation.strip(),
        "license": "MIT" if manifest.simulated else info.licence,
        "version": manifest.version,
        "url": address.group().rstrip(".") if address else "https://schema.org/Dataset",
    }
    year = re.search(r"year\s*=\s*[{\"]?\s*(\d{4})", info.citation)
    if year:
        metadata["datePublished"] = year.group(1)
    whole = {"@type": "cr:FileSet", "@id": "shards", "name": "shards", "description": "All sessions."}
    whole |= {"encodingFormat": _PARQUET, "includes": "data/*.parquet"}
    metadata["distribution"] = [*(_file_object(folder, shard) for shard in shards), whole]
    metadata["recordSet"] = [
        {
            "@type": "cr:RecordSet",
            "@id": "sessions",
            "name": "sessions",
            "description": "One record per session: one user on one screen, ending in one click.",
            "key": {"@id": "sessions/session_id"},
            "field": [_field(name, *column) for name, column in COLUMNS.items() if images or name != "image"],
        }
    ]
    return json.dumps(metadata, indent=2, ensure_ascii=False) + "\n"


def _file_object(folder: Path, shard: Path) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": shard.name,
        "name": shard.name,
        "contentUrl": shard.relative_to(folder).as_posix(),
        "contentSize": f"{shard.stat().st_size} B",
        "encodingFormat": _PARQUET,
        "sha256": file_digest(shard),
    }


def _field(column: str, kind: Kind, text: str, key: str = "") -> dict[str, Any]:
    """Return the field of a column, or of a key of the records that a column holds."""
    place = f"sessions/{column}" + (f"/{key}" if key else "")
    field: dict[str, Any] = {"@type": "cr:Field", "@id": place, "name": key or column, "description": text}
    if key or not isinstance(kind, str):
        field["repeated"] = True
    if isinstance(kind, dict):
        return field | {"subField": [_field(column, *inner, name) for name, inner in kind.items()]}
    field["dataType"] = _TYPES[kind if isinstance(kind, str) else kind[0]]
    field["source"] = {"fileSet": {"@id": "shards"}, "extract": {"column": column}}
    if key or kind == "image":
        field["source"]["transform"] = {"jsonPath": f"[*].{key}" if key else "bytes"}
    return field

"""Croissant metadata (JSON-LD, MLCommons Croissant 1.0) of a prepared folder: ``croissant.json``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tasks.columns import COLUMNS, Kind
from tasks.definition import TaskInfo
from tasks.manifest import Manifest, file_digest

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
    metadata: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": f"{manifest.name}{'-simulated-sample' if manifest.simulated else ''}",
        "description": notice + info.description.strip(),
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "citeAs": info.citation.strip(),
        "license": "MIT" if manifest.simulated else info.licence,
        "version": manifest.version,
        "url": _url(info.source),
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


def _url(source: str) -> str:
    found = re.search(r"https?://[^\s)>,;]+", source)
    return found.group(0).rstrip(".") if found else "https://schema.org/Dataset"

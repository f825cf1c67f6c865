"""Croissant metadata (JSON-LD, MLCommons Croissant 1.0) of a prepared folder: ``croissant.json``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tasks.definition import TaskInfo
from tasks.manifest import Manifest, file_digest

_PARQUET = "application/x-parquet"

_SCALARS = {
    "session_id": ("sc:Text", "unique id of the session"),
    "user": ("sc:Text", "id of the user as published"),
    "screen": ("sc:Text", "which screen it was, over users"),
    "profile": ("sc:Text", "what is known of the user or the need, in words"),
    "click": ("sc:Integer", "index of the clicked slot, 0..K-1"),
    "split_loo": ("sc:Text", "train or test"),
    "split_kfold": ("sc:Integer", "the fold in which the session is tested"),
    "split_unseen_screen": ("sc:Text", "train or test"),
}
_LISTS = {
    "gaze_ms": ("sc:Float", "human dwell time per slot, ms"),
    "cursor_ms": ("sc:Float", "cursor dwell time per slot, ms"),
    "flags": ("sc:Text", "oddities of the recording"),
}
_SLOT = {
    "label": ("sc:Text", "what is drawn next to the slot and what an answer names"),
    "kind": ("sc:Text", "film, organic_result, native_ad, dd_top or dd_right"),
    "text": ("sc:Text", "the item in words"),
    "box": ("sc:Float", "x0, y0, x1, y1 in image pixels"),
}
_FIXATION = {
    "slot": ("sc:Integer", "index of the slot, -1 for none"),
    "start_ms": ("sc:Float", "start, ms from the beginning of the session's window"),
    "duration_ms": ("sc:Float", "how much of it counts, ms"),
}
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
    """Return the JSON-LD text.

    Args:
        info: Metadata of the task.
        manifest: What the folder holds.
        folder: The prepared folder.
        shards: Its parquet files.
        images: Whether the sessions carry images.
    """
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
    metadata["distribution"] = [_file_object(folder, shard) for shard in shards] + [
        {
            "@type": "cr:FileSet",
            "@id": "shards",
            "name": "shards",
            "description": "All sessions.",
            "encodingFormat": _PARQUET,
            "includes": "data/*.parquet",
        }
    ]
    metadata["recordSet"] = [
        {
            "@type": "cr:RecordSet",
            "@id": "sessions",
            "name": "sessions",
            "description": "One record per session: one user on one screen, ending in one click.",
            "key": {"@id": "sessions/session_id"},
            "field": _fields(images),
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


def _fields(images: bool) -> list[dict[str, Any]]:
    fields = [_field(name, kind, text) for name, (kind, text) in _SCALARS.items()]
    fields += [_field(name, kind, text) | {"repeated": True} for name, (kind, text) in _LISTS.items()]
    fields += [_records("slots", "the K slots", _SLOT), _records("fixations", "the fixations in time order", _FIXATION)]
    if images:
        image = _field("image", "sc:ImageObject", "what the user saw at the click")
        image["source"]["transform"] = {"jsonPath": "bytes"}
        fields.append(image)
    return fields


def _records(name: str, text: str, properties: dict[str, tuple[str, str]]) -> dict[str, Any]:
    """Return the field of a list of records, with one repeated subfield per property."""
    parts = []
    for key, (kind, meaning) in properties.items():
        part = _field(name, kind, meaning) | {"@id": f"sessions/{name}/{key}", "name": key, "repeated": True}
        part["source"]["transform"] = {"jsonPath": f"[*].{key}"}
        parts.append(part)
    return {
        "@type": "cr:Field",
        "@id": f"sessions/{name}",
        "name": name,
        "description": text,
        "repeated": True,
        "subField": parts,
    }


def _field(name: str, kind: str, text: str) -> dict[str, Any]:
    source: dict[str, Any] = {"fileSet": {"@id": "shards"}, "extract": {"column": name}}
    return {
        "@type": "cr:Field",
        "@id": f"sessions/{name}",
        "name": name,
        "description": text,
        "dataType": kind,
        "source": source,
    }


def _url(source: str) -> str:
    found = re.search(r"https?://[^\s)>,;]+", source)
    return found.group(0).rstrip(".") if found else "https://schema.org/Dataset"

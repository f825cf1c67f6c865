"""Screen features kept: computed once per distinct screen, in memory up to a limit, then on disk."""

import contextlib
import logging
import os
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from baselines.backbones.interface import ScreenFeatures

_LOG = logging.getLogger(__name__)
MEMORY = 2**30
"""Default memory limit, bytes: about 80 screens of a 4-billion-parameter model."""
DISK = 20 * 2**30
"""Default limit of the files of one model, bytes."""


@dataclass(slots=True)
class FeatureStore:
    """Features by screen digest, for one model in one number format.

    Attributes:
        folder: Where feature files go, or None for memory only.
        limit: Bytes kept in memory; the screens unused for longest leave first. The newest always stays.
        disk_limit: Bytes of files after which no more are written; the screens beyond are computed when needed.
    """

    folder: Path | None
    limit: int = MEMORY
    disk_limit: int = DISK
    computed: int = 0
    _kept: OrderedDict[str, ScreenFeatures] = field(default_factory=OrderedDict)
    _bytes: int = 0
    _writable: bool = True
    _files: int | None = None

    def get(self, digest: str, compute: Callable[[], ScreenFeatures]) -> ScreenFeatures:
        """Return the features of ``digest`` from memory, else from disk, else computed and kept in both."""
        kept = self._kept.get(digest)
        if kept is not None:
            self._kept.move_to_end(digest)
            return kept
        found = self._read(digest)
        if found is None:
            found = compute()
            self.computed += 1
            self._write(found)
        self._kept[digest] = found
        self._bytes += found.nbytes
        while self._bytes > self.limit and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.nbytes
        return found

    def clear(self) -> None:
        """Forget what is kept in memory; files stay."""
        self._kept.clear()
        self._bytes = 0

    def _path(self, digest: str) -> Path | None:
        return None if self.folder is None else self.folder / f"{digest}.safetensors"

    def _read(self, digest: str) -> ScreenFeatures | None:
        path = self._path(digest)
        if path is None or not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                layers = sum(name.startswith("deepstack.") for name in file.keys())  # noqa: SIM118  (not a dict)
                grid = [int(i) for i in file.get_tensor("grid")]
                size = [int(i) for i in file.get_tensor("size")]
                return ScreenFeatures(
                    embeds=file.get_tensor("embeds"),
                    deepstack=tuple(file.get_tensor(f"deepstack.{i}") for i in range(layers)),
                    grid=(grid[0], grid[1], grid[2]),
                    patch_boxes=np.asarray(file.get_tensor("patch_boxes").numpy(), dtype=np.float64),
                    size=(size[0], size[1]),
                    digest=digest,
                )
        except (OSError, SafetensorError, IndexError) as error:
            _LOG.warning("the kept screen features %s are unreadable (%s); they are computed again.", path, error)
            return None

    def _write(self, features: ScreenFeatures) -> None:
        """Write the file whole or not at all; a cache that cannot be written costs time, not the run."""
        path = self._path(features.digest)
        if path is None or not self._writable:
            return
        tensors = {
            "embeds": features.embeds.contiguous(),
            "grid": torch.tensor(features.grid),
            "size": torch.tensor(features.size),
            "patch_boxes": torch.from_numpy(features.patch_boxes),
            **{f"deepstack.{i}": layer.contiguous() for i, layer in enumerate(features.deepstack)},
        }
        if self._files is None:
            self._files = sum(file.stat().st_size for file in path.parent.glob("*.safetensors"))
        self._files += features.nbytes
        if self._files > self.disk_limit:
            self._writable = False
            size = self.disk_limit / 2**30
            _LOG.warning(
                "the screen features in %s reach the limit of %.1f GiB; no more are written.", path.parent, size
            )
            return
        partial = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_file(tensors, partial)
            os.replace(partial, path)
        except (OSError, SafetensorError) as error:
            self._writable = False
            _LOG.warning("screen features cannot be kept in %s (%s); they stay in memory only.", path.parent, error)
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)

"""Folders that appear whole or not at all, and the place where built data is kept."""

import contextlib
import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from tasks.errors import InputError

_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
_LONGEST = 150
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def file_name(text: str) -> str:
    """Return an id as the name of a file: letters, digits and ``._-~`` as they are, everything else as ``%XX``.

    So are a point at either end and the first letter of a name that some systems keep for devices, such as ``con``.
    The end of a very long id becomes a digest.
    """
    name = urllib.parse.quote(text, safe="")
    if name.startswith(".") or _DEVICES.match(name):
        name = f"%{ord(name[0]):02X}{name[1:]}"
    if len(name) > _LONGEST:
        name = f"{name[:_LONGEST]}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return f"{name[:-1]}%2E" if name.endswith(".") else name


def absolute(path: str | Path) -> Path:
    """Return ``path`` from the root, without ``~`` and ``..``; symbolic links stay as they are named."""
    return Path(os.path.abspath(Path(path).expanduser()))


def cache_root() -> Path:
    """Return the folder for built data: ``$GAZEBENCH_CACHE``, else ``gazebench`` in the user's cache folder."""
    chosen = os.environ.get("GAZEBENCH_CACHE")
    if chosen:
        return absolute(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "gazebench"
    except RuntimeError:
        raise InputError("your home folder is not known; set GAZEBENCH_CACHE to a folder for built data.") from None


@contextlib.contextmanager
def staged(target: Path, *, replace: bool) -> Iterator[Path]:
    """Give an empty folder next to ``target`` that takes its place when the block ends without an error.

    An exception of any kind, an interrupt included, removes the folder and leaves ``target`` as it was. A process
    killed outright leaves a hidden ``.<name>.partial-*`` folder, never a partial ``target``; the next command that
    writes next to it removes it (:func:`sweep`). An empty folder at ``target`` counts as none; another that is there at
    the end is replaced, or with ``replace=False`` kept, and the new one discarded (another process was quicker).
    InputError if the folder cannot be written or the disk is full.
    """
    target = absolute(target)
    partial, old = (target.parent / f".{target.name}.{kind}-{token()}" for kind in ("partial", "old"))
    try:
        with write_errors(target):
            sweep(target.parent)
            partial.mkdir(parents=True)
        yield partial
        with write_errors(target):
            _publish(partial, target, old, replace)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def token() -> str:
    """Return what ends the name of something partial: whose it is, on which machine, and a number of its own."""
    return f"{os.getpid()}-{hashlib.sha256(platform.node().encode()).hexdigest()[:6]}-{secrets.token_hex(4)}"


def sweep(folder: Path) -> None:
    """Remove what killed processes of this machine left half written in a folder; what they were replacing comes back.

    Nothing else is touched, and nothing is removed whose process may still run.
    """
    left_by = re.compile(rf"\.(.+)\.(partial|old)-(\d+)-{token().split('-')[1]}-[0-9a-f]{{8}}")
    names = os.listdir(folder) if folder.is_dir() and hasattr(os, "geteuid") else []
    for left in filter(None, map(left_by.fullmatch, sorted(names))):
        path, former = folder / left[0], folder / left[1]
        try:
            os.kill(int(left[3]), 0)
        except ProcessLookupError:
            with contextlib.suppress(OSError):  # another process may do the same at this moment
                if left[2] == "old" and not former.exists():
                    os.rename(path, former)
                elif path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
        except OSError:
            pass  # it runs, as somebody else


def _publish(partial: Path, target: Path, old: Path, replace: bool) -> None:
    """Rename ``partial`` to ``target``; if that fails half-way the former ``target`` comes back."""
    try:
        if replace and target.is_dir():
            os.rename(target, old)
        elif target.is_dir() and not any(target.iterdir()):
            target.rmdir()
        os.rename(partial, target)
    except OSError:
        if replace or not target.is_dir():
            raise
    finally:
        if old.exists():
            if target.exists():
                shutil.rmtree(old, ignore_errors=True)
            else:
                os.rename(old, target)


@contextlib.contextmanager
def write_errors(target: Path) -> Iterator[None]:
    """Turn any OSError of the block into an InputError, one line about ``target``."""
    try:
        yield
    except OSError as error:
        raise _unwritable(target, error) from error


@contextlib.contextmanager
def read_errors(source: Path, written: Path, target: Path) -> Iterator[None]:
    """Turn any OSError of reading the folder ``source`` into an InputError of one line.

    The block may write files to ``written`` on the way, which will end up in ``target``.
    """
    try:
        yield
    except OSError as error:
        name = Path(os.fsdecode(error.filename)) if isinstance(error.filename, (str, bytes)) else None
        if error.errno in _FULL or (name is not None and name.is_relative_to(written)):
            raise _unwritable(target, error) from error
        raise InputError(f"cannot read {name or source}: {error.strerror or error}.") from error


def _unwritable(target: Path, error: OSError) -> InputError:
    if error.errno in _FULL:
        return InputError(f"cannot write {target}: the disk is full. Free some space or choose another disk.")
    reason = error.strerror or str(error)
    return InputError(f"cannot write {target}: {reason}. Choose a folder you may write to.")

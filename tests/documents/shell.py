"""Commands run as a reader runs them: as processes of their own, in a folder that holds the project's files.

Nothing they do reaches the checkout, the user's home or another test: files are a copy, and the home, the folder for
temporary files and the network addresses are the test's own.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.documents.blocks import ROOT

MARK = "GAZEBENCH_DOCUMENTS"
"""Set in the environment of every process that a shell starts, and by inheritance in all that these start."""
SECONDS = 400
"""A command that takes longer has failed."""
_ANYWHERE = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info")
"""What lies in a checkout and is not a file of the project."""
_AT_THE_ROOT = {"build", "dist", "runs"}
"""The same, where it is a folder of the root."""


@dataclass(frozen=True)
class Ended:
    """How a command ended, and all that it said."""

    status: int
    said: str


class Shell:
    """Runs commands and keeps hold of every process that comes of them."""

    def __init__(self) -> None:
        # The sockets that Ray puts below it must have short paths.
        self.folder = Path(tempfile.mkdtemp(prefix="gb-"))
        (self.folder / "home").mkdir()
        self._mark = uuid.uuid4().hex

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a command: this one's, with this interpreter's programs first, and one thread."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "RAY_"))}
        programs = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
        own = {"PATH": programs, "HOME": str(self.folder / "home"), "TMPDIR": str(self.folder), MARK: self._mark}
        # Processes on other nodes find the project of this checkout, whatever is installed.
        own |= {"PYTHONPATH": str(ROOT), "GAZEBENCH_DEVICE": "cpu"}
        own |= {"OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"}
        # What the checks of the checkout know of its files holds for their copies.
        own |= {"MYPY_CACHE_DIR": str(ROOT / ".mypy_cache"), "RUFF_NO_CACHE": "true"}
        return {**kept, **own, **more}

    def run(self, words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Ended:
        """Run a command in a folder and wait for it, not for what it leaves running."""
        with tempfile.TemporaryFile(dir=self.folder) as said:
            # A pipe would be open for as long as anything that the command started.
            process = subprocess.Popen(
                words,
                cwd=folder,
                env=self.environment(environment),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                status = process.wait(SECONDS)
            except BaseException as error:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
                status = -signal.SIGKILL
            said.seek(0)
            return Ended(status, said.read().decode(errors="replace"))

    def processes(self) -> list[int]:
        """Return what runs of all that was started here."""
        mark, found = f"{MARK}={self._mark}".encode(), []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
            except OSError:  # it has ended, or is somebody else's
                continue
        return found

    def close(self) -> None:
        """End what still runs, and remove the folder."""
        for sent in (signal.SIGTERM, signal.SIGKILL):
            until = time.monotonic() + 5
            while (running := self.processes()) and time.monotonic() < until:
                for process in running:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process, sent)
                time.sleep(0.1)
        shutil.rmtree(self.folder, ignore_errors=True)


def _outside(folder: str, names: list[str]) -> set[str]:
    """Return what is not copied of a folder."""
    return _ANYWHERE(folder, names) | (_AT_THE_ROOT & set(names) if Path(folder) == ROOT else set())


def unpack(folder: Path) -> Path:
    """Put a copy of the project's files into a folder, unless it has one."""
    if not (folder / "Makefile").is_file():
        shutil.copytree(ROOT, folder, ignore=_outside, dirs_exist_ok=True)
    return folder


class Warm:
    """A process that carries out commands of the suite one after another; ``warm.py`` is the other side.

    Args:
        environment: Its environment; ``PYTHONPATH`` says whose sources it runs.
        log: File for what it says apart from answers.
    """

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, str(ROOT / "tests" / "documents" / "warm.py")],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                start_new_session=True,
            )

    def carry_out(self, words: Sequence[str], folder: Path) -> Ended:
        """Carry out a command, given as what follows ``python -m benchmark``, in a folder."""
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None and answers is not None
        asked.write(json.dumps({"words": list(words), "folder": str(folder)}).encode() + b"\n")
        asked.flush()
        ready, _, _ = select.select([answers], [], [], SECONDS)
        line = answers.readline() if ready else b""
        if not line:
            self._process.kill()
            return Ended(-signal.SIGKILL, "it gave no answer")
        return Ended(**json.loads(line))

    def close(self) -> None:
        """Let it end."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()


class Cluster:
    """A cluster of Ray on this machine: two nodes that commands with ``--address auto`` join.

    It is set up when it is first asked for, by the very commands of the guide.

    Args:
        shell: Runs the commands, and ends what they start.
        port: Of its first node.
        exported: What the guide puts into the environment of every machine.
        commands: The guide's commands in their order: as they stand there -> as they are run.
    """

    def __init__(self, shell: Shell, port: int, exported: Mapping[str, str], commands: Mapping[str, str]) -> None:
        self._shell = shell
        self._port = port
        self._exported = exported
        self._commands = commands
        self._ended: dict[str, Ended] = {}

    def run(self, command: str) -> Ended:
        """Return how one of the guide's commands ended; it runs once, after those before it."""
        assert command in self._commands, f"'{command}' is none of the commands that set up the cluster"
        for text, ready in self._commands.items():
            if text not in self._ended:
                self._ended[text] = self._run(ready)
            if text == command or self._ended[text].status != 0:
                break
        return self._ended[text]

    @cached_property
    def _machine(self) -> Warm:
        """A process of the suite on the first machine; the cluster runs from then on."""
        ended = self.run(list(self._commands)[-1])
        assert ended.status == 0, f"the cluster does not start: {ended.said[-1500:]}"
        environment = {**self._exported, "RAY_ADDRESS": f"127.0.0.1:{self._port}"}
        return Warm(self._shell.environment(environment), self._shell.folder / "warm.log")

    def carry_out(self, words: Sequence[str], folder: Path) -> Ended:
        """Carry out a command of the suite, given as what follows ``python -m benchmark``, in a folder.

        One that DeepSpeed shares out takes half a minute: it is carried out once, whichever documents have it.
        """
        key = " ".join(sorted(words))
        if "--deepspeed" not in words:
            return self._machine.carry_out(words, folder)
        if key not in self._ended:
            self._ended[key] = self._machine.carry_out(words, folder)
        return self._ended[key]

    def close(self) -> None:
        """Let go of the process on the first machine, after the shell has ended everything."""
        if "_machine" in self.__dict__:
            self._machine.close()

    def _run(self, command: str) -> Ended:
        assert "stop" not in command, f"'{command}' would stop every Ray of this machine"
        return self._shell.run(shlex.split(command), self._shell.folder, self._exported)

"""What the commands of the documents need: small raw folders, prepared data, a finished run, submissions."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import socket
import sys
from functools import cached_property
from pathlib import Path

import yaml

from baselines import registry as catalogue
from benchmark.cli import main
from tasks import registry
from tasks.definition import ReadOptions
from tasks.prepare import prepare
from tasks.types import Session, Stimulus
from tests.baselines.backbones import tiny
from tests.baselines.simulators.chat.stub import Stub, says
from tests.documents.blocks import blocks, commands
from tests.documents.commands import ready
from tests.documents.shell import Cluster, Shell

USERS = ("KInIT_1", "KInIT_2", "KInIT_3", "KInIT_4", "UvA_1", "UvA_2")
PEOPLE = ("p001", "p002", "p003", "p004", "p005", "p006")


class Workshop:
    """Small real things, made from the built-in samples when they are first asked for; ``workshop[name]`` gives one.

    Args:
        folder: Where they are made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shell = Shell()
        self._endpoint: Stub | None = None

    def __getitem__(self, name: str) -> object:
        return getattr(self, name)

    def close(self) -> None:
        """Stop what runs."""
        self.shell.close()
        if "cluster" in self.__dict__:
            self.cluster.close()
        if self._endpoint is not None:
            self._endpoint.close()

    @cached_property
    def cluster(self) -> Cluster:
        """A cluster of two nodes, set up by the commands of the guide."""
        [guide] = [commands(b) for b in blocks("docs/farm-out.md") if b.language == "bash" and "ray start" in b.text]
        exported = dict(c.removeprefix("export ").split("=", 1) for c in guide if c.startswith("export "))
        return Cluster(self.shell, self.port, exported, {c: ready(c, self) for c in guide if c.startswith("ray ")})

    @cached_property
    def port(self) -> int:
        """A port of this machine that nobody listens at."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return int(free.getsockname()[1])

    @property
    def node(self) -> str:
        """Options that make a node of a cluster small; its GPU is a number in Ray's books."""
        return "--node-ip-address 127.0.0.1 --num-cpus 1 --num-gpus 1 --object-store-memory 100000000"

    @cached_property
    def raw(self) -> dict[str, Path]:
        """Task -> raw folder with the recordings of six simulated people."""
        recgaze, adserp = self.folder / "recgaze-raw", self.folder / "adserp-raw"
        source = registry.load("recgaze", "sample").folder.parent / "raw"
        shutil.copytree(source, recgaze)
        for name in ("summary_feedback.csv", "click_feedback.csv"):
            header, *rows = (source / name).read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [row for row in rows if row.split(",")[0] in USERS]
            (recgaze / name).write_text("".join([header, *kept]), encoding="utf-8")
        source = registry.load("adserp", "sample").folder.parent / "raw"
        others = [p.name for p in (source / "trials").iterdir() if not p.name.startswith(PEOPLE)]
        shutil.copytree(source, adserp, ignore=shutil.ignore_patterns(*others))
        snacks = self.folder / "snacks-raw"
        source = registry.load("snacks", "sample").folder.parent / "raw"
        shutil.copytree(source, snacks, ignore=shutil.ignore_patterns("sub-[6-9]_*", "sub-[12]?_*"))
        return {
            **dict.fromkeys(("recgaze", "recgaze-visible"), recgaze),
            **dict.fromkeys(("adserp", "adserp-page"), adserp),
            "snacks": snacks,
        }

    @cached_property
    def replay(self) -> Path:
        """A folder of AdSERP's replay layout in which every trial has its click, as in the published one."""
        folder = self.folder / "replay"
        shutil.copytree(self.raw["adserp"], folder)
        for path in (folder / "trials").glob("*.json"):
            if all(event["event"] != "click" for event in json.loads(path.read_text(encoding="utf-8"))["cursor"]):
                path.unlink()
        return folder

    @cached_property
    def data(self) -> Path:
        """A folder as ``$GAZEBENCH_DATA``: the tasks, prepared from the small raw folders; ours without screens."""
        for name in registry.names():
            definition = registry.definition(name)
            options = ReadOptions(images=name in ("recgaze", "adserp"), size=definition.sample_size, simulated=True)
            prepare(definition, self.raw[name], self.folder / "data" / name, options)
        return self.folder / "data"

    @cached_property
    def run(self) -> Path:
        """A finished run of priors."""
        out = self.folder / "run"
        names = "uniform,position-prior,user-prior"
        assert self.quietly("run", "--task", "recgaze", "--simulators", names, "--out", str(out)) == 0
        return out

    @cached_property
    def trial(self) -> str:
        """The first digits of a trial below ``./runs``, which is made there."""
        assert self.quietly("run", "--task", "recgaze", "--simulators", "position-prior", "--out", "runs/other") == 0
        [folder] = [path for path in Path("runs/other/trials").iterdir() if (path / "trial.json").is_file()]
        return folder.name[:8]

    @cached_property
    def submission(self) -> Submissions:
        """Submission folders by name, packed from the run."""
        return Submissions(self)

    @property
    def submitted(self) -> Submitted:
        """Names with version of submissions that are put on ``./board`` when they are asked for."""
        return Submitted(self)

    @cached_property
    def table(self) -> Path:
        """A table of reported numbers: two methods, means of 76 sessions and 5 seeds."""
        path = self.folder / "reported.csv"
        path.write_text("method,CSH@1,KL\nprior,0.1447,1.1033\nours,0.2368,0.9986\n", encoding="utf-8")
        return path

    @cached_property
    def tiny(self) -> dict[str, Path]:
        """Kind -> folder of a tiny random checkpoint of the real class."""
        folders = {kind: self.folder / "tiny" / kind for kind in tiny.KINDS}
        with contextlib.redirect_stderr(io.StringIO()):
            return {kind: tiny.save(kind, folder) for kind, folder in folders.items()}

    @property
    def reproduced(self) -> Path:
        """Where the paper's tables are made from our own runs."""
        return self.folder / "reproduced"

    @property
    def planned(self) -> Path:
        """Where it is planned to make them."""
        return self.folder / "planned"

    @cached_property
    def empty(self) -> Path:
        """A folder without posters: they are drawn."""
        (self.folder / "empty").mkdir()
        return self.folder / "empty"

    @property
    def endpoint(self) -> str:
        """The address of a chat endpoint that always answers with the first slot."""
        self._endpoint = self._endpoint or Stub(lambda request, number: says("A"))
        return self._endpoint.url

    @property
    def space(self) -> Path:
        """A search space of two candidates that are quick to try."""
        path = self.folder / "space.yaml"
        path.write_text("search: grid\nscore: [KL]\nsettings: {lambda: [0.5, 1.0]}\n", encoding="utf-8")
        return path

    @property
    def programs(self) -> Path:
        """The folder of this interpreter and of the tools installed next to it."""
        return Path(sys.executable).parent

    @cached_property
    def few(self) -> Path:
        """The same with a ``python`` that adds options for a small run to what it is given."""
        folder = self.folder / "few"
        folder.mkdir()
        (folder / "python").write_text(
            f'#!/bin/sh\nexec {sys.executable} "$@" --simulators position-prior --seeds 42\n'
        )
        (folder / "python").chmod(0o755)
        return folder

    @property
    def quick_tests(self) -> str:
        """Options of pytest for a few tests."""
        return "tests/benchmark/metrics/test_registry.py"

    @property
    def simulator(self) -> object:
        """A simulator."""
        return catalogue.build("user-prior", {})

    @property
    def train(self) -> list[Session]:
        """Training sessions."""
        task = registry.load("recgaze", self.data / "recgaze")
        return task.sessions_at(task.split("loo").folds[0][0])

    @property
    def test(self) -> list[Stimulus]:
        """Test sessions as a simulator sees them."""
        task = registry.load("recgaze", self.data / "recgaze")
        return [session.stimulus() for session in task.sessions_at(task.split("loo").folds[0][1])]

    @property
    def seed(self) -> int:
        """A seed."""
        return 42

    @staticmethod
    def quietly(*words: str) -> int:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return main(list(words))


class Submissions:
    """Submissions of one simulator under several names."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    def __getitem__(self, name: str) -> Path:
        out = self._workshop.folder / "submissions" / name
        if not out.exists():
            words = ("pack", str(self._workshop.run), "--simulator", "user-prior", "--out", str(out))
            assert self._workshop.quietly(*words) == 0
            path = out / "submission.yaml"
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
            values.update(name=name, version="1", authors=["A. Nobody"], contact="nobody@example.org")
            path.write_text(yaml.safe_dump(values), encoding="utf-8")
        return out


class Submitted:
    """Submissions by name, put on the board of the current folder."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    def __getitem__(self, name: str) -> str:
        assert self._workshop.quietly("submit", str(self._workshop.submission[name]), "--board", "board") == 0
        return f"{name}@1"

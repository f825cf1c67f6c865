"""What the commands of the documents need: small raw folders, prepared data, a finished run, submissions."""

from __future__ import annotations

import contextlib
import io
import shutil
from functools import cached_property
from pathlib import Path

import yaml

from baselines import registry as catalogue
from baselines.backbones.registry import checkpoint_of
from benchmark.cli import main
from tasks import registry
from tasks.definition import ReadOptions
from tasks.prepare import prepare
from tasks.types import Session, Stimulus
from tests.baselines.chat.stub import Stub, says

ROOT = Path(__file__).parents[2]
USERS = ("KInIT_1", "KInIT_2", "KInIT_3", "KInIT_4", "UvA_1", "UvA_2")
PEOPLE = ("p001", "p002", "p003", "p004", "p005", "p006")


class Workshop:
    """Small real things, made from the built-in samples when they are first asked for; ``workshop[name]`` gives one.

    Args:
        folder: Where they are made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._endpoint: Stub | None = None

    def __getitem__(self, name: str) -> object:
        return getattr(self, name)

    def close(self) -> None:
        """Stop what runs."""
        if self._endpoint is not None:
            self._endpoint.close()

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
        return {"recgaze": recgaze, "recgaze-visible": recgaze, "adserp": adserp, "adserp-page": adserp}

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
    def checkpoint(self) -> Path:
        """The folder of a backbone."""
        return Path(checkpoint_of("pocket-qwen3vl"))

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
        path.write_text("search: grid\nscore: [KL]\nsettings: {gaze_weight: [1.0, 5.0]}\n", encoding="utf-8")
        return path

    @property
    def main_job(self) -> str:
        """The command behind ``make run``."""
        lines = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
        behind = lines[next(i for i, line in enumerate(lines) if line.startswith("run:")) + 1]
        return behind.strip().replace("$(BIN)/", "") + " --simulators uniform,position-prior --seeds 42"

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

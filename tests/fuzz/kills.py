"""Commands that are killed at a random moment, and many at one time: the same command then leaves the same bytes."""

import json
import shutil
import signal
import time

from benchmark.engines import resources
from benchmark.trials import store
from leaderboard import submitting
from leaderboard.board_files import Board
from tests.fuzz import forked
from tests.leaderboard.boards import AT

VERBS = ("run", "prepare", "submit", "pack", "tune", "leaderboard")
_CHANGING = ("attempts", "checksum")
"""What a trial that was begun twice says of it."""


class Still:
    """A clock that does not move, so that what commands write does not depend on when they ran."""

    @staticmethod
    def perf_counter():
        return 0.0

    process_time = perf_counter


def still():
    """Stop the clocks of a child, which has been forked for one command."""
    store._now, submitting._now, resources.time = lambda: AT, lambda: AT, Still


def content(folder):
    """Path -> bytes of all files in a folder, hidden ones included, but for locks and how often trials were begun."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"):
        name = path.relative_to(folder).as_posix()
        found[name] = path.read_bytes()
        if path.name == "trial.json":
            said = {key: value for key, value in json.loads(found[name]).items() if key not in _CHANGING}
            said.update({key: sorted(said.get(key, ())) for key in ("cost", "environment")})  # memory, process, load
            found[name] = said
    return found


class Kills:
    """What every command leaves if nothing happens, and how long it takes."""

    def __init__(self, world, verbs=VERBS):
        self.world, self.out = world, world.folder / "killed"
        self.wanted, self.took = {}, {}
        for verb in verbs:
            began = time.perf_counter()
            forked.call(self.words(verb), world.log, still).well(0)
            self.took[verb] = time.perf_counter() - began
            self.wanted[verb] = content(self.out)
            shutil.rmtree(self.out)

    def words(self, verb):
        self.out.mkdir(exist_ok=True)
        return self.world.words(verb, self.out)

    def case(self, verb, random):
        """Kill a command at a random moment; the same command then leaves the same bytes, and nothing else."""
        after = float(random.random()) * self.took[verb]
        while forked.killed(self.words(verb), self.world.log, after, still).status >= 0:
            shutil.rmtree(self.out)  # it was quicker
            after /= 2
        self.again(verb)

    def stopped(self, verb, random):
        """The same with SIGTERM, to which a command has an answer of its own."""
        after = float(random.random()) * self.took[verb]
        answer = forked.killed(self.words(verb), self.world.log, after, still, signal.SIGTERM)
        assert answer.status in (-signal.SIGTERM, 0) or "What was finished is kept" in answer.well(143).text, answer
        self.again(verb)

    def again(self, verb):
        again = forked.call(self.words(verb), self.world.log, still).well(0, 2)
        left = content(self.out)
        shutil.rmtree(self.out)
        # What was finished before may be refused, as being there already.
        assert again.status == 0 or "exists and is not empty" in again.text, again
        different = {name for name in {*left, *self.wanted[verb]} if left.get(name) != self.wanted[verb].get(name)}
        assert not different, (verb, sorted(different))


def at_once(world, count):
    """Submit the same example under many versions to one board at one time; every one of them is on it."""
    board, children = world.folder / "crowd", []
    for number in range(count):
        copy = world.folder / f"example-{number}"
        shutil.copytree(world.folder / "done" / "pack", copy)
        path = copy / "submission.yaml"
        path.write_text(path.read_text().replace("version: '1'", f"version: '1.{number}'"))
        words = ["submit", copy, "--board", board, "--data", f"snacks={world.folder / 'done' / 'prepare'}"]
        log = world.folder / f"log-{number}.txt"
        children.append((forked.start(words, log), log))
    for child, log in children:
        forked.finish(child, log).well(0)
    opened = Board.open(board)
    names = {opened.result(name).metadata.label for name in opened.names("results")}
    assert {f"mine@1.{number}" for number in range(count)} <= names
    data = ["--data", f"snacks={world.folder / 'done' / 'prepare'}"]
    forked.call(["leaderboard", "verify", "--board", board, *data], world.log).well(0)


def two_runs(world, random):
    """Begin a run twice, in one folder: one waits for the other or is refused, and the bytes are those of one."""
    out, other = world.folder / "twice", world.folder / "log-2.txt"
    out.mkdir()
    words = world.words("run", out)
    first = forked.start(words, world.log, still)
    time.sleep(float(random.random()))
    second = forked.start(words, other, still)
    answers = [forked.finish(first, world.log).well(0, 2), forked.finish(second, other).well(0, 2)]
    left = content(out)
    forked.call([*words, "--force"], world.log, still).well(0)
    assert any(answer.status == 0 for answer in answers) and left == content(out), answers
    shutil.rmtree(out)

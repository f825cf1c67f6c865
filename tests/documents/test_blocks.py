"""Every code block of the documents is run, in its order, each document in a folder of its own."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from benchmark import audit
from benchmark.cli import MODULES, VERBS, main
from benchmark.trials.configuration import read_config
from tests.documents.blocks import ROOT, Block, blocks, commands, documents
from tests.documents.commands import IN_PLACE, ready
from tests.documents.shell import Ended, unpack
from tests.documents.workshop import Workshop

LANGUAGES = {"bash", "python", "text", "json", "yaml", "bibtex"}
MODULE = " -m benchmark "
READERS = {"docs/audit.md": audit.read}
"""What reads the JSON and YAML of a document; elsewhere they are run configurations."""
GIVEN = {"docs/memory.md": ("simulator", "train", "test", "seed")}
"""Names that an example takes from the text around it."""
PROGRAMS = {"make", "pip", "python", "torchrun"}
"""What is run in a process of its own; Ray sets up the cluster."""


@pytest.fixture(scope="module")
def workshop(tmp_path_factory, own_cache):
    with contextlib.closing(Workshop(tmp_path_factory.mktemp("workshop"))) as made:
        yield made


@pytest.fixture
def scratch(tmp_path, workshop, monkeypatch):
    """A folder with the project's configurations, in which a document's commands run on small data."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GAZEBENCH_DATA", str(workshop.data))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("document", documents())
def test_every_code_block_runs(document, scratch, workshop, monkeypatch):
    for block in blocks(document):
        where = f"{document}, line {block.line}"
        assert block.language in LANGUAGES, f"{where}: a block of the language '{block.language}' is not tested"
        if block.language == "bash":
            for command in commands(block):
                run(command, where, workshop, monkeypatch)
        elif block.language == "python" and document != "CONTRIBUTING.md":  # tests/test_documents.py runs those
            run_python(block, where, {name: workshop[name] for name in GIVEN.get(document, ())})
        elif block.language in ("json", "yaml"):
            values = json.loads(block.text) if block.language == "json" else yaml.safe_load(block.text)
            assert isinstance(values, dict), where
            path = scratch / f"block.{block.language}"
            path.write_text(block.text, encoding="utf-8")
            READERS.get(document, read_config)(path)
        elif block.language == "bibtex":
            entries = re.split(r"(?<=\n\})\s+", block.text.strip())
            assert all(re.fullmatch(r"@\w+\{[\w:-]+,\n.*\n\}", entry, re.S) for entry in entries), where
            assert block.text.count("{") == block.text.count("}"), where


def run_python(block: Block, where: str, given: dict[str, object]) -> None:
    """Execute a block; where the document shows what it prints, hold that against it."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(block.text, where, "exec"), {"__name__": "document", **given})
    if block.printed is not None:
        assert [line.rstrip() for line in printed.getvalue().splitlines()] == block.printed.splitlines(), where


def run(command: str, where: str, workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command of a document, changed only as ``commands.py`` says."""
    if match := re.fullmatch(r"export (\w+)=(\S+)", command):
        monkeypatch.setenv(match[1], match[2])
        return
    if MODULE in command:
        words = shlex.split(command)
        parse(words[words.index("benchmark") + 1 :], where)
    if command.startswith("ray "):
        ended = workshop.cluster.run(command)
    else:
        words = shlex.split(ready(command, workshop))
        environment = {}
        while "=" in words[0]:
            name, _, environment[name] = words.pop(0).partition("=")
        assert words[0] in PROGRAMS, f"{where}: no way to run '{command}'"
        assert words[0] != "pip" or "--dry-run" in words, f"{where}: '{command}' would install something"
        alone = words[:3] == ["python", "-m", "benchmark"] and not {"ray", "auto", "--deepspeed", "tune"} & set(words)
        ended = (run_here if alone else run_apart)(words, environment, workshop, monkeypatch)
    assert ended.status == 0, f"{where}: '{command}' ends with {ended.status}: {ended.said[-1500:]}"
    assert "does not provide the extra" not in ended.said, f"{where}: {ended.said[-1500:]}"


def run_here(
    words: list[str], environment: dict[str, str], workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> Ended:
    """Run a command of the suite in this process, which is quicker."""
    with monkeypatch.context() as patch, contextlib.redirect_stderr(io.StringIO()) as said:
        for name, value in environment.items():
            patch.setenv(name, value)
        with contextlib.redirect_stdout(io.StringIO()):
            return Ended(main(words[3:]), said.getvalue())


def run_apart(
    words: list[str], environment: dict[str, str], workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> Ended:
    """Run any other command in a process of its own, or on the cluster that it asks for."""
    if "auto" in words:
        return workshop.cluster.carry_out(words[3:], Path.cwd())
    return workshop.shell.run(words, unpack(Path.cwd()), environment)


def parse(words: list[str], where: str) -> argparse.Namespace:
    """Return what a verb's own parser makes of a command as the document has it."""
    verb, *rest = words
    assert verb in VERBS, f"{where}: there is no verb {verb}"
    parser = argparse.ArgumentParser(prog=verb, allow_abbrev=False, exit_on_error=False)
    importlib.import_module(f"benchmark.cli.{MODULES.get(verb, verb)}").add_arguments(parser.add_argument)
    found, unknown = parser.parse_known_args(rest)
    assert not unknown, f"{where}: {verb} has no {unknown[0]}"
    return found


def test_what_is_listed_is_needed():
    needed = set()
    for command in (c for d in documents() for b in blocks(d) if b.language == "bash" for c in commands(b)):
        for change in IN_PLACE:
            before, command = command, re.sub(change.pattern, change.by, command)
            needed |= {change} if command != before else set()
    for change in IN_PLACE:
        assert change in needed, f"nothing needs {change.pattern}"


def test_commands_within_a_line_are_read_by_their_verbs():
    found = 0
    for document in documents():
        text = re.sub(r"^ *```.*?^ *```", "", (ROOT / document).read_text(encoding="utf-8"), flags=re.S | re.M)
        for command in re.findall(r"`(python -m benchmark [^`]+)`", text):
            parse(shlex.split(command)[3:], document)
            found += 1
    assert found


def test_no_command_stands_outside_a_code_block():
    for document in documents():
        text = (ROOT / document).read_text(encoding="utf-8")
        outside = re.sub(r"^ *```.*?^ *```", "", text, flags=re.S | re.M)
        assert not re.search(r"^ {4,}(?:python|make|pip|export) ", outside, re.M), document


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "python -m benchmark rnu --task recgaze",
        "python -m benchmark run --taks recgaze --simulators uniform",
        "python -m benchmark run --task recgase --simulators uniform",
        "python -m benchmark table runs/nowhere",
        "python tests/performance/plan_reproduction.py --rnus runs",
        "python tests/performance/gone.py",
        "torchrun --nproc-per-node 2 -m benchmark run --task recgaze --depspeed zero3",
        "make tset",
        "pip install -e '.[depspeed]'",
        "pip install gazebench",
        "ray start --haed",
        "ray stop",
        "curl example.org",
    ],
)
def test_a_command_that_is_wrong_or_unknown_is_found(command, scratch, workshop, monkeypatch):
    with pytest.raises((AssertionError, FileNotFoundError)):
        run(command, "here", workshop, monkeypatch)

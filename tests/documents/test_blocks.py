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

import pytest
import yaml

from benchmark import audit
from benchmark.cli import MODULES, VERBS, main
from benchmark.config import read_config
from tests.documents.blocks import ROOT, Block, blocks, commands, documents
from tests.documents.commands import IN_PLACE, READ_ONLY
from tests.documents.workshop import Workshop

LANGUAGES = {"bash", "python", "text", "json", "yaml", "bibtex"}
MODULE = " -m benchmark "
READERS = {"docs/audit.md": audit.read}
"""What reads the JSON and YAML of a document; elsewhere they are run configurations."""
GIVEN = {"docs/memory.md": ("simulator", "train", "test", "seed")}
"""Names that an example takes from the text around it."""


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
    """Run a command of a document, or read it where ``commands.py`` says that it is not run."""
    if match := re.fullmatch(r"export (\w+)=(\S+)", command):
        monkeypatch.setenv(match[1], match[2])
        return
    words = shlex.split(command)
    if MODULE in command:
        parse(words[words.index("benchmark") + 1 :], where)
    for entry in READ_ONLY:
        if re.fullmatch(entry.pattern, command):
            check_unrun(words, where)
            return
    for change in IN_PLACE:
        command = re.sub(change.pattern, change.by, command)
    words = shlex.split(command.format_map(workshop))
    environment = {}
    while "=" in words[0]:
        name, _, environment[name] = words.pop(0).partition("=")
    assert words[:3] == ["python", "-m", "benchmark"], f"{where}: no way to run '{command}'; list it in commands.py"
    with monkeypatch.context() as patch, contextlib.redirect_stderr(io.StringIO()) as said:
        for name, value in environment.items():
            patch.setenv(name, value)
        with contextlib.redirect_stdout(io.StringIO()):
            status = main(words[3:])
    assert status == 0, f"{where}: '{shlex.join(words)}' ends with {status}: {said.getvalue()[-1000:]}"


def parse(words: list[str], where: str) -> argparse.Namespace:
    """Return what a verb's own parser makes of a command as it stands in the document."""
    verb, *rest = words
    assert verb in VERBS, f"{where}: there is no verb {verb}"
    parser = argparse.ArgumentParser(prog=verb, allow_abbrev=False, exit_on_error=False)
    importlib.import_module(f"benchmark.cli.{MODULES.get(verb, verb)}").add_arguments(parser)
    found, unknown = parser.parse_known_args(rest)
    assert not unknown, f"{where}: {verb} has no {unknown[0]}"
    return found


def check_unrun(words: list[str], where: str) -> None:
    """Hold what can be held of a command that is not run: targets, scripts and their options, extras, programs."""
    tool, *rest = words
    if tool == "make":
        assert re.search(rf"^{rest[0]}:", (ROOT / "Makefile").read_text(), re.M), where
    elif tool == "pip":
        extra = re.fullmatch(r"gazebench\[(\w+)\]", rest[1])
        assert extra and re.search(rf"^{extra[1]} = \[", (ROOT / "pyproject.toml").read_text(), re.M), where
    elif "pytest" in words:
        assert rest == ["-m", "pytest", "-m", "not slow"], where
    elif words[:3] == ["python", "-m", "benchmark"] or tool == "torchrun":
        pass  # its verb's parser has read it
    elif tool == "python":
        script = (ROOT / rest[0]).read_text(encoding="utf-8")
        missing = [word for word in rest[1:] if word.startswith("--") and f'"{word}"' not in script]
        assert not missing, f"{where}: {rest[0]} has no {missing[0]}"
    else:
        assert tool == "ray" and rest[0] == "start", where


def test_what_is_listed_is_needed():
    text = [
        command for document in documents() for b in blocks(document) if b.language == "bash" for command in commands(b)
    ]
    for entry in (*IN_PLACE, *READ_ONLY):
        assert any(re.search(entry.pattern, command) for command in text), f"nothing needs {entry.pattern}"


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
        "curl example.org",
    ],
)
def test_a_command_that_is_wrong_or_unknown_is_found(command, scratch, workshop, monkeypatch):
    with pytest.raises((AssertionError, FileNotFoundError)):
        run(command, "here", workshop, monkeypatch)

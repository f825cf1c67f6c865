"""Write the pages of tasks, metrics, operators and the Python interface, and the index, from registries and docstrings.

    python docs/generate.py           # writes docs/README.md, docs/api.md, docs/tasks, docs/metrics, docs/operators
    python docs/generate.py --check   # writes nothing; names the pages that are stale, exit status 1 if there are any

What a page says comes from the registries, docstrings, simulated samples and the cost table of
``docs/probing.md``; its numbers are computed here. A test compares the files with what this gives.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import importlib
import inspect
import io
import json
import re
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import benchmark as gb  # noqa: E402
from baselines.probing import registry as probing  # noqa: E402
from benchmark.metrics import Metric, all_metrics, evaluate_sessions  # noqa: E402
from benchmark.metrics.families import family  # noqa: E402
from benchmark.metrics.registry import MODULES  # noqa: E402
from tasks import registry as tasks_registry  # noqa: E402
from tasks.definition import ReadOptions, TaskDefinition  # noqa: E402
from tasks.manifest import Manifest, read_manifest  # noqa: E402
from tasks.prepare import prepare  # noqa: E402
from tasks.task import Task, open_folder  # noqa: E402

DOCS = ROOT / "docs"
GUIDES = (
    *("api", "reproducing", "report", "stress", "order", "submitting", "leaderboard", "trust", "audit"),
    *("probing", "farm-out", "memory", "deviations", "statistics", "results", "ground-truth"),
)
"""Order of the guides in the index; others follow by name."""


def pages() -> dict[str, str]:
    """Return path below ``docs`` -> Markdown text of every generated page."""
    found = {"README.md": index(), "api.md": api_page()}
    for definition, manifest, task in samples():
        found[f"tasks/{task.name}.md"] = task_page(definition, manifest, task)
    for module in MODULES:
        found[f"metrics/{module}.md"] = metric_page(module)
    for name in probing.names():
        found[f"operators/{name}.md"] = operator_page(name)
    return found


def samples() -> Iterable[tuple[TaskDefinition, Manifest, Task]]:
    """Yield every task with its simulated sample, prepared without screens; tasks share raw files where they can."""
    raw: dict[object, Path] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in tasks_registry.names():
            definition = tasks_registry.definition(name)
            if definition.write_sample not in raw:
                raw[definition.write_sample] = tasks_registry.load(name, "sample").folder.parent / "raw"
            out = Path(scratch) / name
            options = ReadOptions(images=False, size=definition.sample_size, simulated=True)
            prepare(definition, raw[definition.write_sample], out, options)
            yield definition, read_manifest(out), open_folder(definition, out)


def task_page(definition: TaskDefinition, manifest: Manifest, task: Task) -> str:
    """Return the page of a task; its numbers are those of the simulated sample."""
    info, session = definition.info, task.session(0)
    card = _sections((task.folder / "README.md").read_text(encoding="utf-8"))
    kinds = ", ".join(sorted(manifest.statistics.slot_kinds))
    layout = f" --layout {definition.layouts[0]}" if len(definition.layouts) > 1 else ""
    shares = enumerate(zip(session.slots, session.gaze, strict=True))
    screen = [[s.label, s.kind, s.text, f"{share:.3f}", "x" * (i == session.click)] for i, (s, share) in shares]
    return _page(
        f"`{info.name}`",
        f"{info.title}. Version {info.version}.",
        info.description,
        "## Slots and answer",
        f"The answer is a {info.answer_format}, the label that is drawn at the slot. Kinds of slots in the sample: "
        f"{kinds}. Slots per session: {manifest.statistics.slots_per_session}.",
        f"The first session of the sample, `{session.session_id}`:",
        _table(["slot", "kind", "text", "share of gaze", "clicked"], screen),
        "## The data",
        f"Source: {info.source}.",
        f"Licence: {info.licence}.",
        f"With your own copy in a folder DIR (layouts: {', '.join(definition.layouts)}):",
        f"```bash\npython -m benchmark prepare --task {info.name}{layout} --raw DIR --out data/{info.name}\n"
        f"python -m benchmark run --task {info.name} --data data/{info.name}\n```",
        f"Without `--data` the simulated sample is used. Every output then says: *{definition.sample_notice}*",
        "## The simulated sample",
        "These numbers describe the sample that is built in. They are no findings about people, and recorded data has "
        "others: `prepare` writes them on its card.",
        card["Contents"],
        "## Splits",
        card["Splits"],
        "The digests are those of the simulated sample. Results of different digests are never compared.",
        *(
            ("## Ground truth", card["Ground truth"], "With figures: [ground-truth.md](../ground-truth.md).")
            if "Ground truth" in card
            else ()
        ),
        "## Columns",
        card["Columns"],
        *(f"## {title}\n\n{card[title]}" for title in ("Known leaks", "Deviations from the paper")),
        "All deviations, with their measured effect where it was measured: [deviations.md](../deviations.md).",
        "## Citation",
        card["Citation"],
        source=_source_of(tasks_registry.TASKS[info.name]),
    )


def _sections(card: str) -> dict[str, str]:
    """Return the sections of a data set's card: heading -> text."""
    parts = re.split(r"^## (.+)\n\n", card, flags=re.MULTILINE)[1:]
    return {heading: text.rstrip("\n") for heading, text in zip(parts[::2], parts[1::2], strict=True)}


GAZE, CLICK = [600, 300, 100, 0], 1
"""The session of the metrics' examples: four slots, the second clicked."""

VISITS = [0, 1, 2]
"""The slots that were visited there, in time order."""

EXAMPLES: dict[str, list[Any]] = {
    "attention": [0.4, 0.2, 0.2, 0.2],
    "probabilities": [0.5, 0.25, 0.25, 0.0],
    "next_visit": [
        [0.4, 0.3, 0.2, 0.1, 0],
        [0.1, 0.3, 0.3, 0.2, 0.1],
        [0.1, 0, 0.4, 0.3, 0.2],
        [0.2, 0.2, 0, 0.2, 0.4],
    ],
}
"""Part -> what the examples say of that session, with ties."""

EXAMPLE = """from benchmark.metrics import evaluate_sessions

table = evaluate_sessions(
    gaze=[{gaze}],  # milliseconds on each of four slots
    click=[{click}],  # the second slot
{visits}    {part}=[{values}],
    metrics={names},
)
print(table.round(4).to_string(index=False))
"""


def metric_page(module: str) -> str:
    """Return the page of a metric module: one metric, or one for several k."""
    found = _metrics(module)
    summary, paragraphs = _docstring(f"benchmark.metrics.{module}")
    name = found[0].name if len(found) == 1 else found[0].name.split("@")[0] + "@k"
    first = found[0]
    part = family(first.family).parts[0]
    code = EXAMPLE.format(
        gaze=GAZE,
        click=CLICK,
        visits=f"    visits=[{VISITS}],  # slots, in time order\n" if first.against == "path" else "",
        part=part,
        values=EXAMPLES[part],
        names=json.dumps([metric.name for metric in found]),
    )
    anchors = _anchors(found, part)
    facts = [
        [
            m.name,
            "higher" if m.higher_is_better else "lower",
            f"{m.range[0]:g} to {m.range[1]:.4g}",
            f"{m.worst:.4g}",
            m.unit,
            m.definition,
        ]
        for m in found
    ]
    return _page(
        f"`{name}`",
        summary.partition(": ")[2][:1].upper() + summary.partition(": ")[2][1:],
        *(p for p in paragraphs if not p.startswith("Beware: ")),
        _table(["column", "better", "range", "a failed session counts", "unit", "definition"], facts),
        f"Family {first.family}: it compares the {' or the '.join(first.needs)} of a simulator with the human "
        f"{first.against}. On the leaderboard's normalised scale 0 is `{first.prior}`, 1 is `{first.human_reference}`.",
        "## Beware",
        *(p[8].upper() + p[9:] for p in paragraphs if p.startswith("Beware: ")),
        "## Example",
        f"```python\n{code}```",
        f"```text\n{_output(code)}```",
        f"The same session with other {part}"
        + (' (in brackets with `ties="last"`, where that is another number):' if "(" in anchors else ":"),
        anchors,
        "## Source",
        "; ".join(dict.fromkeys(m.citation for m in found)) + ".",
        source=f"benchmark/metrics/{module}.py",
    )


def _anchors(metrics: Sequence[Metric], part: str) -> str:
    """Return what simple predictions score on the session of the examples."""
    slots = len(GAZE)
    human, right, uniform, last = {
        "attention": ("human gaze", np.array(GAZE), np.full(slots, 1 / slots), np.eye(slots)[-1]),
        "probabilities": ("certain of the click", np.eye(slots)[CLICK], np.full(slots, 1 / slots), np.eye(slots)[-1]),
        "next_visit": (
            "certain of what comes",
            np.eye(slots + 1)[[*VISITS, slots]],
            np.full((len(VISITS) + 1, slots + 1), 1 / (slots + 1)),
            np.tile(np.eye(slots + 1)[slots - 1], (len(VISITS) + 1, 1)),
        ),
    }[part]
    predictions = {human: right, "the example": EXAMPLES[part], "uniform": uniform, "all on the last slot": last}
    names = [m.name for m in metrics]

    def score(ties: str) -> list[list[float]]:
        rows = list(predictions.values())
        gaze, click = [GAZE] * len(rows), [CLICK] * len(rows)
        table = evaluate_sessions(gaze, click, **{part: rows}, visits=[VISITS] * len(rows), ties=ties, metrics=names)
        found: list[list[float]] = (table.to_numpy() + 0.0).tolist()  # without a negative zero
        return found

    cells = [
        [name, *(f"{a:.3f}" + (f" ({b:.3f})" if abs(a - b) > 1e-12 else "") for a, b in zip(one, other, strict=True))]
        for name, one, other in zip(predictions, score("expected"), score("last"), strict=True)
    ]
    return _table([part, *names], cells)


def operator_page(name: str) -> str:
    """Return the page of a probing operator."""
    entry = probing.info(name)
    module, _, attribute = entry.factory.partition(":")
    operator = getattr(importlib.import_module(module), attribute)
    summary, paragraphs = _docstring(module)
    target = (
        "the logit of the simulator's own best answer (`free`); that of the true click (`label`) is never ranked"
        if entry.needs_gradient
        else "none: the answer plays no part"
    )
    rectified = {"none": "nothing: it is never negative", "abs": "the absolute value", "relu": "the positive part"}
    facts = [
        ["reads", entry.layers],
        ["needs gradients", "yes" if entry.needs_gradient else "no"],
        ["target", target],
        ["of an image token's relevance counts", rectified[entry.rectify]],
        ["source", entry.source],
    ]
    chosen = any(field.default is dataclasses.MISSING for field in dataclasses.fields(operator))
    use = (
        f"run --task recgaze --simulators position-prior,{name}"
        if chosen
        else f"probe --backbone pocket-qwen3vl --task recgaze --session KInIT_1-30 --operator {name}"
    )
    return _page(
        f"`{name}`",
        f"{entry.title}.",
        f"```text\n{entry.equation}\n```",
        _table(["", ""], facts),
        "Notation, and how relevance over tokens becomes attention over slots: [probing.md](../probing.md#operators).",
        "## Definition",
        summary,
        *(p for p in paragraphs if not p.startswith("Source: ")),
        "## Settings",
        _settings(operator, entry.options),
        "## Cost",
        *_cost(name),
        "## How it was verified",
        _tests(name),
        "## Use",
        f"```bash\npython -m benchmark {use}\n```",
        source=f"baselines/probing/registry.py` and `{_source_of(entry.factory)}",
    )


def api_page() -> str:
    """Return the page of the Python interface: every public name with its docstring."""
    parts = []
    for name in gb.__all__:
        value = getattr(gb, name)
        parts += [f"## `{name}`", *_described(name, value)]
        if isinstance(value, type):
            own = {k: v for k, v in vars(value).items() if not k.startswith("_") and inspect.getdoc(v)}
            for member, of in own.items():
                if isinstance(of, property | functools.cached_property) or inspect.isfunction(of):
                    parts += [f"### `{name}.{member}`", *_described(member, of)]
    return _page(
        "Python: `import benchmark as gb`",
        "What is public is listed here (`gb.__all__`) and typed; everything else may change without notice. Nothing "
        "heavy is imported before a name is used, and the command line calls the same functions. A tour with pictures: "
        "[notebook.ipynb](notebook.ipynb).",
        *parts,
        source="benchmark/__init__.py` and the docstrings of what it lists, `benchmark/api",
    )


def _described(name: str, value: Any) -> list[str]:
    """Return signature and docstring of a public name as Markdown."""
    text = inspect.getdoc(value) or ""
    shown = []
    if inspect.isfunction(value):
        signature = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(value)))
        shown = [f"```text\n{name}{re.sub(r'<.*?>(?=[,)])', '...', signature)}\n```"]
    sections = re.split(r"^(Args|Attributes|Returns|Raises):\n", text, flags=re.M)
    shown += [_plain(p) for p in sections[0].strip().split("\n\n")]
    for title, body in zip(sections[1::2], sections[2::2], strict=True):
        within, after = re.fullmatch(r"((?: [^\n]*\n?|\n)*)(.*)", body, re.S).groups()  # what is indented, and the rest
        body = inspect.cleandoc("\n" + within)
        entries = re.findall(r"^(\S[^:\n]*): (.+?)(?=\n\S[^:\n]*: |\Z)", body, re.S | re.M)
        named = title != "Returns"
        lines = [f"- `{entry}`: {_plain(said)}" for entry, said in entries] if named else [_plain(body)]
        shown += [f"**{title}**", "\n".join(lines), *map(_plain, after.strip().split("\n\n"))]
    return list(filter(None, shown))


def _settings(operator: type, options: object) -> str:
    """Return the fields of an operator as a table, described by its docstring."""
    assert isinstance(options, dict)
    described = dict(re.findall(r"^    (\w+): (.+?)(?=\n    \w+: |\Z)", inspect.getdoc(operator) or "", re.S | re.M))
    rows = []
    for field in dataclasses.fields(operator):
        value = options.get(field.name, field.default)
        shown = "chosen on training sessions" if value is dataclasses.MISSING else f"`{value}`"
        rows.append([f"`{field.name}`", shown, _plain(described[field.name])])
    return _table(["setting", "default", "meaning"], rows)


def _cost(name: str) -> list[str]:
    """Return what ``docs/probing.md`` says of an operator's cost."""
    text = (DOCS / "probing.md").read_text(encoding="utf-8").partition("## Cost")[2]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    header = [cell.strip() for cell in lines[0].strip("|").split("|")]
    rows = [[cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")] for line in lines]
    mine = [row for row in rows if re.match(rf"`{name}`(,|$)", row[0])]
    note = (
        "Ratios, measured as [probing.md](../probing.md#cost) says: to plain prompt tuning and to a plain forward pass."
    )
    return [_table(header, mine), note]


def _tests(name: str) -> str:
    """Return the test modules that name an operator, or its module, with what they say they do."""
    module = probing.info(name).factory.partition(":")[0].rpartition(".")[2]
    found = []
    for path in sorted((ROOT / "tests" / "baselines" / "probing").glob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if f'"{name}"' in text or f"probing.{module} import" in text or f"probing import {module}" in text:
            found.append(f"- `{path.relative_to(ROOT).as_posix()}`: {text.splitlines()[0].strip(chr(34))}")
    more = "What was compared, and to what accuracy: [probing.md](../probing.md#how-they-are-computed)."
    return "\n".join([*found, "", more])


def index() -> str:
    """Return the index of the documents."""
    files = {path.stem: path for path in sorted(DOCS.glob("*.md")) if path.stem not in ("README", "glossary")}
    order = [stem for stem in GUIDES if stem in files] + [stem for stem in files if stem not in GUIDES]
    guides = [f"- [{_title(files[stem])}]({stem}.md)" for stem in order]
    infos = [tasks_registry.definition(name).info for name in tasks_registry.names()]
    home = {m.name: name for name in MODULES for m in _metrics(name)}
    metrics = [
        [f"[{m.name}](metrics/{home[m.name]}.md)", family(m.family).title, m.arrow, m.definition] for m in all_metrics()
    ]
    operators = [probing.info(name) for name in probing.names()]
    return _page(
        "Documentation",
        "[README](../README.md): what the suite is and the first commands. [CONTRIBUTING](../CONTRIBUTING.md): how to "
        "add a task, a simulator, an operator, a metric or a backbone. [Glossary](glossary.md): terms as used here.",
        "## Guides",
        "\n".join(guides),
        "## Tasks",
        _table(
            ["task", "answer", "what"], [[f"[{i.name}](tasks/{i.name}.md)", i.answer_format, i.title] for i in infos]
        ),
        "## Metrics",
        _table(["metric", "family", "better", "definition"], metrics),
        "## Operators",
        _table(
            ["operator", "gradients", "what"],
            [[f"[{o.name}](operators/{o.name}.md)", "yes" if o.needs_gradient else "no", o.title] for o in operators],
        ),
        source="docs/generate.py",
    )


def _metrics(module: str) -> tuple[Metric, ...]:
    """Return the metrics that a module of ``benchmark.metrics`` declares."""
    found: tuple[Metric, ...] = importlib.import_module(f"benchmark.metrics.{module}").METRICS
    return found


def _title(path: Path) -> str:
    """Return the first heading of a document."""
    return path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def _docstring(module: str) -> tuple[str, list[str]]:
    """Return the first line of a module's docstring and its other paragraphs, as Markdown."""
    text = inspect.getdoc(importlib.import_module(module)) or ""
    summary, *paragraphs = text.split("\n\n")
    return _plain(summary), [p if p.startswith("    ") else _plain(p) for p in paragraphs]


def _plain(text: str) -> str:
    """Return a docstring's text as Markdown, without references to a specification that readers do not have."""
    text = re.sub(r"[;,]? ?\(?PROTOCOL sections? \d+(?: and \d+)?\)?", "", text).replace("``", "`")
    return re.sub(r"\s*\n\s*", " ", text).strip()


def _output(code: str) -> str:
    """Run an example and return what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, "example", "exec"), {})
    return "".join(line.rstrip() + "\n" for line in printed.getvalue().splitlines())


def _source_of(factory: str) -> str:
    """Return the file of ``module:attribute``, relative to the root."""
    file = importlib.import_module(factory.partition(":")[0]).__file__
    assert file is not None
    return Path(file).resolve().relative_to(ROOT).as_posix()


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _page(title: str, *parts: str, source: str) -> str:
    """Return a page with its title, its parts and a line that says where it comes from."""
    # Each paragraph is one line: the renderer wraps it.
    end = f"*Generated from `{source}` by `python docs/generate.py`: change it there.*"
    return "\n\n".join([f"# {title}", *(part.strip("\n") for part in parts), end]) + "\n"


def stale(wanted: dict[str, str]) -> list[str]:
    """Return the generated pages below ``docs`` that are missing, differ or are left over."""
    there = {
        p.relative_to(DOCS).as_posix() for part in ("tasks", "metrics", "operators") for p in DOCS.glob(f"{part}/*")
    }
    wrong = [n for n, t in wanted.items() if not (DOCS / n).is_file() or (DOCS / n).read_text(encoding="utf-8") != t]
    return sorted([*wrong, *(there - set(wanted))])


def main() -> int:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description="write the generated pages")
    parser.add_argument("--check", action="store_true", help="write nothing; name the stale pages")
    check = parser.parse_args().check
    wanted = pages()
    for name in stale(wanted):
        path = DOCS / name
        sys.stdout.write(f"docs/{name}{' is stale' if check else ''}\n")
        if check:
            continue
        path.parent.mkdir(exist_ok=True)
        path.write_text(wanted[name], encoding="utf-8") if name in wanted else path.unlink()
    return int(check and bool(stale(wanted)))


if __name__ == "__main__":
    sys.exit(main())

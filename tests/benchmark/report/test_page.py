from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser

import pytest

from benchmark import report
from benchmark.cli import main
from benchmark.metrics import asked_of
from benchmark.output.units import number
from benchmark.scores import results
from benchmark.trials.configuration import RunConfig, read_config
from benchmark.trials.trial import expand
from tasks.errors import InputError
from tests.benchmark.toys import Toys
from tests.latex import compiles
from tests.mini import NOTICE

SCRIPT = "</title><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


class Elements(HTMLParser):
    """Every element with its attributes, and the text of each kind."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "path", "use", "rect", "br"):
            self._inside.append(tag)

    def handle_endtag(self, tag):
        if tag in self._inside:
            while self._inside.pop() != tag:
                pass

    def handle_data(self, data):
        for tag in set(self._inside):
            self.text.setdefault(tag, []).append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def page(finished, mini, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("page") / "page.html"
    report.write(finished, path, task=mini)
    return path.read_text(encoding="utf-8")


@pytest.mark.slow
def test_every_part_is_there(page):
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert headings == [
        "Results",
        "Users",
        "Variance, and what to add",
        "Sessions",
        "Training",
        "Stress tests",
        "Cost",
        "Environment",
        "Failures",
        "Reproduce",
    ]
    assert "21 sessions of 7 users" in page and "1, 2" in page
    for words in (
        "it was never going to work",
        "returned nothing for a part it normally returns in",
        "answer stays with the item",
    ):
        assert words in page
    # a mean per metric, users and variance of those that are corrected together, a curve
    assert page.count('class="plot"') == len(asked_of(())) + 2 * 4 + 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recorded", "data", "said"),
    [
        (False, None, "simulated: the built-in sample"),
        (False, "mine", "simulated: mine"),
        (True, None, "recorded"),
        (True, "mine", "recorded: mine"),
        (None, None, "not known whether recorded or simulated"),
    ],
)
def test_the_page_says_what_it_ran_on(recorded, data, said, finished, mini, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    values = json.loads((run / "results.json").read_text())
    assert values["recorded"] is False  # the users of this task are invented
    (run / "results.json").write_text(json.dumps({**values, "recorded": recorded, "data": data}))
    report.write(run, tmp_path / "page.html", task=mini)
    assert f"<dt>data</dt><dd>{said}</dd>" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_it_loads_nothing_from_anywhere(page):
    elements = Elements(page)
    for tag, attributes in elements.found:
        for name in ("src", "href", "xlink:href", "srcset", "data", "action", "poster", "background"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)
    assert not {"iframe", "object", "embed", "base", "form"} & {tag for tag, _ in elements.found}
    style = "".join(elements.text["style"])
    assert "url(" not in style and "@import" not in style and not re.search(r"url\((?!#)", page)
    assert len(page.encode()) < 5_000_000


def test_only_its_own_script_may_run(page):
    elements = Elements(page)
    (script,) = elements.text["script"]
    policy = next(a["content"] for a in elements.all("meta") if a.get("http-equiv"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy
    assert not any(name.startswith("on") for _, attributes in elements.found for name in attributes)


def test_identifiers_are_unique_and_references_lead_somewhere(page):
    elements = Elements(page)
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", page)
    assert {a or b for a, b in wanted} <= set(ids)


def test_simulated_data_is_named_before_any_number(page):
    body = page[page.index("<body>") :]
    assert 0 < body.index(NOTICE) < re.search(r"\d\.\d{3}", body).start()
    assert 'class="notice" role="note"' in body


def test_the_numbers_are_those_of_the_results(page, finished):
    found = results.read(finished)
    table = page[page.index('<table id="main">') : page.index("</table>", page.index('<table id="main">'))]
    rows = dict(re.findall(r"<tr><th scope=\"row\"[^>]*>([\w-]+)(.*?)</tr>", table, flags=re.DOTALL))
    assert set(rows) == {"sharp", "noisy", "faint", "oracle"}
    for row in found.simulators:
        means = re.findall(r'data-v="([^"]+)"><span class="mean">([^<]+)</span>', rows[row.name])
        assert [float(value) for value, _ in means] == [m.mean for m in row.metrics.values()]
        assert [shown for _, shown in means] == [number(m.mean) for m in row.metrics.values()]
        low, high = row.metrics["KL"].low, row.metrics["KL"].high
        assert f"{number(low)} .. {number(high)}" in rows[row.name]
    assert table.index("oracle") > table.index("never ranked") > table.index("noisy")


@pytest.mark.slow
def test_the_same_run_gives_the_same_bytes(page, finished, mini, tmp_path):
    (tmp_path / "again.html").write_text("what was there before")
    report.write(str(finished), str(tmp_path / "again.html"), task=mini)
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page
    assert [path.name for path in tmp_path.iterdir()] == ["again.html"]


def test_the_recipe_makes_the_same_trials(page, mini, tmp_path):
    import html

    config = html.unescape(re.search(r'<pre id="config"><code>(.*?)</code>', page, flags=re.DOTALL)[1])
    (tmp_path / "config.yaml").write_text(config)
    trials = expand(RunConfig(**read_config(tmp_path / "config.yaml")), mini, Toys())
    shown = page[page.index("Trials behind the numbers") :]
    assert set(re.findall(r"<th scope=\"row\">([0-9a-f]{24})", shown)) == {trial.identity() for trial in trials}
    assert mini.digests["kfold"] in page


def test_whatever_is_written_in_a_run_stays_text(copied, mini, tmp_path, no_figures):
    raw = json.loads((copied / "results.json").read_text())
    raw["title"] = raw["notice"] = raw["version"] = SCRIPT
    raw["packages"] = {SCRIPT: SCRIPT}
    raw["data"] = "turned\u202e and \x1b[31m steered"
    for row in raw["simulators"]:
        row["sees"] = [SCRIPT]
    (copied / "results.json").write_text(json.dumps(raw))
    for path in (copied / "trials").glob("*/trial.json"):
        record = json.loads(path.read_text())
        record["environment"] = {SCRIPT: SCRIPT, "packages": {SCRIPT: SCRIPT}, "where": SCRIPT}
        record["cost"] = {}
        path.write_text(json.dumps(record))
    report.write(copied, tmp_path / "page.html", task=mini)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    elements = Elements(text)
    assert len(elements.all("script")) == 1 and text.count("&lt;script&gt;document.title") > 5
    assert all(a["src"].startswith("data:image/jpeg;base64,") for a in elements.all("img"))
    assert "turned and [31m steered" in text and "\u202e" not in text and "\x1b" not in text
    assert "not measured" in text


def test_a_run_whose_data_is_not_at_hand_has_no_pictures_and_says_so(finished, tmp_path, capsys, no_figures):
    assert main(["report", str(finished), "--html", str(tmp_path / "page.html")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'page.html'}\n"
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "No sessions are drawn. The task" in text and "unknown task" in text and "<img" not in text


def test_data_of_another_digest_is_refused(copied, mini, tmp_path):
    raw = json.loads((copied / "results.json").read_text())
    raw["digest"] = "0" * 64
    (copied / "results.json").write_text(json.dumps(raw))
    with pytest.raises(InputError, match="run's own data"):
        report.write(copied, tmp_path / "page.html", task=mini)


def test_results_without_trials_have_no_cost(copied, tmp_path, no_figures):
    import shutil

    shutil.rmtree(copied / "trials")
    report.write(copied, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Not measured: the folder holds no trials" in text and "<h2>Training" not in text


@pytest.mark.parametrize("spoil", ["results.json", "scores.parquet", "curves.parquet", "stress.json"])
def test_a_damaged_run_is_one_line_and_leaves_the_old_page(spoil, copied, mini, tmp_path, capsys, no_figures):
    page = tmp_path / "page.html"
    page.write_text("old")
    for path in copied.rglob(spoil):
        path.write_bytes(b"\x00 nothing")
    assert main(["report", str(copied), "--html", str(page)]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("error: ") and said.err.count("\n") == 1 and "damaged" in said.err
    assert page.read_text() == "old" and sorted(p.name for p in tmp_path.iterdir()) == ["page.html", "run"]


@pytest.mark.parametrize("change", ["short attention", "no attention", "no simulators", "none of them"])
def test_files_that_do_not_fit_each_other_are_one_line(change, copied, mini, tmp_path, no_figures):
    import numpy as np
    import pandas as pd

    name = "predictions.parquet" if "attention" in change else "scores.parquet"
    frame = pd.read_parquet(copied / name)
    if change == "short attention":
        frame["attention"] = [np.ones(2)] * len(frame)
    elif change == "none of them":
        frame = frame[frame["simulator"] == "sharp"]
    else:
        frame = frame.drop(columns="attention" if "attention" in change else "simulator")
    frame.to_parquet(copied / name)
    with pytest.raises(InputError, match=f"{name} is (missing or )?damaged"):
        report.write(copied, tmp_path / "page.html", task=mini)


def test_what_is_no_run_and_where_nothing_can_be_written(finished, tmp_path, capsys):
    for run, file, words in (
        (tmp_path, tmp_path / "page.html", "holds no finished run"),
        (tmp_path / "absent", tmp_path / "page.html", "holds no finished run"),
        (finished, tmp_path, "cannot write"),
        (finished, tmp_path / "absent" / "page.html", "absent"),
    ):
        assert main(["report", str(run), "--html", str(file)]) == 2
        said = capsys.readouterr().err
        assert words in said and said.count("\n") == 1, said
    assert list(tmp_path.iterdir()) == []


def test_another_simulator_can_be_drawn_and_an_unknown_one_is_named(finished, mini, tmp_path, no_figures):
    report.write(finished, tmp_path / "page.html", task=mini, simulators=["faint", "oracle"])
    assert "attention of faint, oracle" in (tmp_path / "page.html").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="unknown simulator with attention in the run 'nois'. Did you mean 'noisy'"):
        report.write(finished, tmp_path / "page.html", task=mini, simulators=["nois"])


def test_a_paper_gets_its_table_and_figures_and_a_page_that_compiles(finished, tmp_path):
    report.write_paper(finished, tmp_path / "paper")
    found = results.read(finished)
    names = {path.name for path in (tmp_path / "paper").iterdir()}
    expected = {f"{kind}-{name.lower()}.pdf" for name in found.family for kind in ("means", "users")}
    assert names == expected | {"table.tex", "page.tex"}
    assert all((tmp_path / "paper" / name).read_bytes().startswith(b"%PDF") for name in expected)
    table, page = ((tmp_path / "paper" / name).read_text() for name in ("table.tex", "page.tex"))
    assert found.notice in table and page.count("includegraphics") == len(expected)
    body = page.partition(r"\begin{document}")[2].partition(r"\end{document}")[0]
    compiles(body, tmp_path / "paper")

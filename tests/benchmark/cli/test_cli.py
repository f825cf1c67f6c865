"""The command line as a person meets it: what it prints, its exit codes, and one clear line for every mistake."""

from __future__ import annotations

import errno
import importlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark.cli import EXAMPLES, MODULES, VERBS, main, parser_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
PRIORS = str(ROOT / "configs" / "priors.yaml")
RUN = ["run", "--config", PRIORS, "--task", "adserp", "--data", "sample"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("cli") / "run"
    assert main([*RUN, "--split", "kfold", "--out", str(out)]) == 0
    return out


def refused(capsys, *argv) -> str:
    """Run a command that must be refused; return its one line."""
    assert main(list(argv)) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("error: ") and said.err.count("\n") == 1
    return said.err


def test_help_names_every_verb(capsys):
    assert main([]) == 0
    text = capsys.readouterr().out
    assert all(verb in text for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb, capsys):
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0 and "usage:" in capsys.readouterr().out


@pytest.mark.parametrize(("verb", "line"), [(verb, line) for verb, lines in EXAMPLES.items() for line in lines])
def test_every_verb_has_examples_that_it_accepts(verb, line):
    assert set(EXAMPLES) == set(VERBS)
    words = line.split()
    assert words[0] == verb
    module = importlib.import_module(f"benchmark.cli.{MODULES.get(verb, verb)}")
    parser = parser_of(verb, module)
    _, unknown = parser.parse_known_args(words[1:])
    assert not unknown and f"python -m benchmark {line}" in parser.format_help()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["rnu"], "unknown verb 'rnu'. Did you mean 'run'?"),
        (["run", "--taks", "recgaze"], "unknown argument '--taks' of 'run'. Did you mean '--task'?"),
        (["run"], "which task?"),
        (["run", "--task"], "expected one argument"),
        (["run", "--task", "recgase"], "unknown task 'recgase'. Did you mean 'recgaze'?"),
        ([*RUN, "--split", "lou"], "Did you mean 'loo'?"),
        ([*RUN, "--simulators", "unifrom"], "Did you mean 'uniform'?"),
        ([*RUN, "--reference", "unifrom"], "Did you mean 'uniform'?"),
        ([*RUN, "--seeds", "a"], "--seeds expects whole numbers"),
        ([*RUN, "--seeds", "1,1"], "none twice"),
        ([*RUN, "--set", "smothing=1"], "Did you mean 'smoothing'?"),
        ([*RUN, "--set", "smoothing"], "--set expects key=value"),
        (["run", "--task", "adserp", "--data", "nowhere"], "there is no folder"),
        (["run", "--task", "adserp", "--preset", "qiuck"], "Did you mean 'quick'?"),
        (["run", "--task", "adserp", "--deepspeed", "zero2", "--workers-per-trial", "2"], "give --engine ray too"),
        (["reproduce", "mian"], "Did you mean 'main'?"),
        (["reproduce", "main", "--preset", "quik"], "Did you mean 'quick'?"),
        (["reproduce", "main", "--backbone", "qwen3vl"], "Did you mean"),
        (["run", "--config", "nowhere.yaml"], "cannot read the configuration nowhere.yaml"),
        (["list", "task"], "Did you mean 'tasks'?"),
        (["list"], "required: subject"),
        (["table", "nowhere"], "holds no finished run"),
        (["score", "nowhere.parquet", "--task", "adserp", "--data", "sample"], "no predictions file"),
        (["show", "x", "--task", "adserp", "--data", "sample"], "unknown session 'x'"),
        (["show", "x"], "which task?"),
        (["show", "x", "--path", "--simulators", "uniform"], "--path draws what simulators drew in a run"),
        (["prepare", "--task", "adserp", "--raw", "nowhere", "--out", "o"], "there is no folder"),
        (["prepare", "--task", "adserp", "--raw", ".", "--out", "o", "--layout", "rwa"], "Did you mean 'raw'?"),
        (["prepare", "--task", "recgaze", "--raw", ".", "--out", "o", "--size", "big"], "--size expects WIDTHxHEIGHT"),
        (["prepare", "--task", "recgaze", "--raw", ".", "--out", "o", "--workers", "0"], "--workers expects"),
    ],
)
def test_a_mistake_gets_one_line_and_exit_code_2(capsys, tmp_path, monkeypatch, argv, message):
    monkeypatch.chdir(tmp_path)
    main(["list", "tasks"])
    if "sample" in argv:  # built beforehand, so that its progress lines are not among the complaints
        from tasks import load

        load("adserp", "sample")
    capsys.readouterr()
    assert message in refused(capsys, *argv)
    assert not (tmp_path / "runs").exists() and not (tmp_path / "o").exists()


def test_run_prints_a_table_that_names_the_simulated_sample(finished, capsys):
    assert main(["table", str(finished)]) == 0
    text = capsys.readouterr().out
    assert "simulated" in text and text.index("simulated") < text.index("uniform")
    for name in ("uniform", "position-prior", "kind-position-prior", "user-prior", "conditional-logit"):
        assert f"\n{name} " in text
    assert "(gaze-oracle)" in text and "(cursor-oracle)" in text and "KL↓" in text


def test_run_as_json_is_the_results_file(finished, capsys):
    argv = [*RUN, "--split", "kfold", "--out", str(finished), "--json"]
    assert main(argv) == 0
    said = capsys.readouterr()
    assert said.out == (finished / "results.json").read_text() and "trials were finished before" in said.err
    found = json.loads(said.out)
    assert found["schema_version"] == 1 and found["digest"] and found["packages"]["numpy"]
    assert found["simulators"][0]["metrics"]["AUC"]["mean"] == pytest.approx(0.5)


@pytest.mark.parametrize("format", ["terminal", "markdown", "latex", "csv", "json"])
def test_table_in_every_format(finished, capsys, format):
    assert main(["table", str(finished), "--format", format]) == 0
    assert "position-prior" in capsys.readouterr().out


def test_scoring_the_predictions_of_a_run_gives_the_same_means(finished, capsys, tmp_path):
    frame = pd.read_parquet(finished / "predictions.parquet")
    frame[frame.simulator == "user-prior"].to_parquet(tmp_path / "mine.parquet")
    argv = ["score", str(tmp_path / "mine.parquet"), "--task", "adserp", "--data", "sample", "--split", "kfold"]
    assert main([*argv, "--json", "--out", str(tmp_path / "scored")]) == 0
    mine = json.loads(capsys.readouterr().out)["simulators"][0]["metrics"]
    run = json.loads((finished / "results.json").read_text())["simulators"]
    theirs = next(r for r in run if r["name"] == "user-prior")["metrics"]
    assert {k: v["mean"] for k, v in mine.items()} == pytest.approx({k: v["mean"] for k, v in theirs.items()})
    assert (tmp_path / "scored" / "results.json").is_file()


def test_score_counts_sessions_that_are_missing_with_the_worst_value(finished, capsys, tmp_path):
    frame = pd.read_parquet(finished / "predictions.parquet")
    frame[frame.simulator == "uniform"].iloc[1:].to_parquet(tmp_path / "mine.parquet")
    argv = ["score", str(tmp_path / "mine.parquet"), "--task", "adserp", "--data", "sample", "--split", "kfold"]
    assert main([*argv, "--json"]) == 0
    said = capsys.readouterr()
    assert "in 1 session; that session gets" in said.err and json.loads(said.out)["simulators"][0]["failed"] == 1


def test_score_shows_the_prior_and_never_ranks_an_oracle(finished, capsys, tmp_path):
    frame = pd.read_parquet(finished / "predictions.parquet")
    oracle = frame[frame.simulator == "gaze-oracle"]
    oracle.to_parquet(tmp_path / "oracle.parquet")
    rest = ["--task", "adserp", "--data", "sample", "--split", "kfold"]
    assert main(["score", str(tmp_path / "oracle.parquet"), *rest, "--families", "attention"]) == 0
    said = capsys.readouterr()
    assert "position-prior is added for comparison" in said.err
    rows: dict[str, str] = {}
    for line in filter(str.strip, said.out.splitlines()):  # a table wider than the terminal goes on in a second block
        rows[line.split()[0]] = rows.get(line.split()[0], "") + line
    assert {"(gaze-oracle)", "position-prior"} <= set(rows) and "gaze-oracle" not in rows
    assert "*" not in rows["position-prior"] and "LogLoss↓" not in said.out  # compared with nothing; one family
    # The prior is that of a run, and where it is among the predictions nothing is added.
    assert main(["score", str(finished / "predictions.parquet"), *rest, "--json"]) == 0
    said = capsys.readouterr()
    run = {row["name"]: row for row in json.loads((finished / "results.json").read_text())["simulators"]}
    for row in json.loads(said.out)["simulators"]:
        assert (row["ranked"], row["metrics"]) == (run[row["name"]]["ranked"], run[row["name"]]["metrics"])
    printed = f"{run['position-prior']['metrics']['KL']['mean']:.3f}"
    assert "added" not in said.err and printed in rows["position-prior"]


def test_show_draws_gaze_and_attention(finished, capsys, tmp_path):
    session = pd.read_parquet(finished / "predictions.parquet").session_id[0]
    out = tmp_path / "picture.png"
    argv = [
        "show",
        session,
        "--run",
        str(finished),
        "--data",
        "sample",
        "--simulators",
        "user-prior",
        "--out",
        str(out),
    ]
    assert main(argv) == 0
    assert capsys.readouterr().out == f"{out}\n"
    with Image.open(out) as picture:
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3).astype(int)
    assert picture.format == "PNG"
    purple = (pixels[:, 2] - pixels[:, 1] > 60) & (pixels[:, 0] > 80)
    assert purple.sum() > 1000  # the attention overlay


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--simulators", "user-piror"], "Did you mean 'user-prior'?"),
        (["--out", "picture.jpg"], "must end in .png, .svg or .pdf"),
    ],
)
def test_show_refuses_what_it_cannot_draw(finished, capsys, argv, message):
    session = pd.read_parquet(finished / "predictions.parquet").session_id[0]
    assert message in refused(capsys, "show", session, "--run", str(finished), "--data", "sample", *argv)


def test_show_refuses_a_run_of_other_sessions(finished, capsys):
    session = pd.read_parquet(finished / "predictions.parquet").session_id[0]
    argv = [session, "--run", str(finished), "--task", "adserp-page", "--data", "sample"]
    from tasks import load

    load("adserp-page", "sample")
    capsys.readouterr()
    assert "was made from adserp with digest" in refused(capsys, "show", *argv)


@pytest.mark.parametrize("subject", ["tasks", "simulators", "backbones", "operators", "metrics", "splits"])
def test_lists(capsys, subject):
    assert main(["list", subject]) == 0
    table = capsys.readouterr().out
    assert main(["list", subject, "--json"]) == 0
    for row in json.loads(capsys.readouterr().out):
        assert next(iter(row.values())) in table


def test_a_damaged_results_file_is_named(tmp_path, capsys):
    (tmp_path / "results.json").write_text('{"schema_version": 1}')
    assert "results.json: the content lacks 'task'; run again" in refused(capsys, "table", str(tmp_path))
    (tmp_path / "results.json").write_text('{"schema_version": 99}')
    assert "is of schema_version 99" in refused(capsys, "table", str(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_named(tmp_path, capsys):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert "cannot write" in refused(capsys, *RUN, "--out", str(tmp_path / "run"))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written_is_named(tmp_path, capsys, monkeypatch, code):
    from tasks import load

    load("adserp", "sample")

    def fail(self, *args, **kwargs):
        raise OSError(code, os.strerror(code), str(self))

    monkeypatch.setattr(Path, "mkdir", fail)
    line = refused(capsys, *RUN, "--out", str(tmp_path / "run"))
    assert "cannot write" in line and not (tmp_path / "run").exists()


def test_an_interrupt_says_that_the_same_command_goes_on(monkeypatch, capsys):
    from benchmark.cli import listing as verb

    def stop(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(verb, "call", stop)
    assert main(["list", "tasks"]) == 130
    assert "the same command goes on" in capsys.readouterr().err


COMMAND = [sys.executable, "-m", "benchmark"]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_a_stream_that_lacks_characters_gets_replacements(finished, encoding):
    done = subprocess.run(
        [*COMMAND, "table", str(finished)],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    assert done.stderr == b"" and "LogLoss?" in done.stdout.decode(encoding)


def test_closed_streams_are_no_error(finished):
    done = subprocess.run(["sh", "-c", f"{sys.executable} -m benchmark table {finished} >&- 2>&-"], cwd=ROOT)
    assert done.returncode == 0


def test_sigterm_stops_like_an_interrupt(tmp_path):
    program = (
        "import os, signal, sys; from benchmark.cli import listing, main\n"
        "listing.call = lambda arguments: os.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.exit(main(['list', 'tasks']))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 143 and done.stderr.startswith("stopped. What was finished is kept")

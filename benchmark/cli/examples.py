"""Two examples for the help of every verb; each is a command line that the verb accepts."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, str]] = {
    "run": (
        "run --task recgaze",
        "run --task adserp --data data/adserp --split kfold --simulators uniform,position-prior,user-prior",
    ),
    "runs": ("runs --state done", "runs show 3f9c"),
    "tune": (
        "tune --task recgaze --simulator user-prior --space configs/spaces/user-prior.yaml",
        "tune --task recgaze --simulator fixate --space configs/spaces/fixate.yaml --engine ray",
    ),
    "reproduce": ("reproduce main --preset quick", "reproduce ablation --with-published --format latex"),
    "prepare": (
        "prepare --task adserp --layout replay --raw DIR --out data/adserp",
        "prepare --task recgaze --raw DIR --check",
    ),
    "score": (
        "score predictions.parquet --task recgaze",
        "score predictions.jsonl --task adserp --data data/adserp --split kfold --json",
    ),
    "new-simulator": ("new-simulator top-left", "new-simulator top-left --out work"),
    "pack": (
        "pack runs/recgaze-loo --simulator fixate --out my-submission",
        "pack runs/recgaze-loo --simulator top-left --about about.yaml --out my-submission",
    ),
    "doctor": ("doctor my-submission", "doctor my-submission --data adserp=data/adserp"),
    "audit": ("audit published", "audit table.csv --sessions 76 --seeds 5"),
    "submit": ("submit my-submission --board board --dry-run", "submit my-submission --board board"),
    "leaderboard": ("leaderboard --board board --html site", "leaderboard verify --board board"),
    "table": ("table runs/recgaze-loo", "table runs/recgaze-loo --format latex --families click"),
    "report": (
        "report runs/recgaze-loo --html report.html",
        "report runs/recgaze-loo --html report.html --simulators fixate,backbone",
    ),
    "variance": ("variance runs/recgaze-loo", "variance runs/recgaze-loo --metric KL --simulator fixate"),
    "stress": ("stress runs/recgaze-loo", "stress runs/recgaze-loo --swap-users --simulators fixate"),
    "list": ("list simulators", "list metrics --json"),
    "show": (
        "show SESSION_ID --run runs/recgaze-loo --simulators fixate,user-prior",
        "show SESSION_ID --task adserp --data data/adserp --path --out path.png",
    ),
    "probe": (
        "probe --backbone pocket-qwen3vl --task recgaze --session SESSION_ID",
        "probe --backbone pocket-internvl --task adserp --session SESSION_ID --operator rollout --out probe.png",
    ),
    "backbone": ("backbone info pocket-qwen3vl", "backbone info DIR --json"),
}
"""Verb -> two command lines, without the beginning that all of them share."""


def epilog(verb: str) -> str:
    """Return the examples of a verb as its help page prints them."""
    return "examples:\n" + "\n".join(f"  python -m benchmark {line}" for line in EXAMPLES[verb])

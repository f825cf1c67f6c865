"""``list``: what there is to name."""

import argparse

from benchmark.cli import options
from tasks.errors import unknown_name

SUBJECTS = ("tasks", "simulators", "backbones", "operators", "metrics", "splits")


def add_arguments(add: options.Add) -> None:
    """Declare the options."""
    add("subject", help=f"one of {', '.join(SUBJECTS)}")
    add("--json", action="store_true", help="print JSON")


def rows(subject: str) -> list[dict[str, str]]:
    """Return what there is, a mapping per row; InputError if the subject is not one of ``SUBJECTS``."""
    if subject == "tasks":
        from tasks import registry

        infos = [registry.definition(name).info for name in registry.names()]
        return [{"task": i.name, "version": i.version, "answer": i.answer_format, "title": i.title} for i in infos]
    if subject == "simulators":
        from baselines import registry as catalogue

        entries = [catalogue.entry(name) for name in catalogue.names()]
        return [
            {"simulator": e.name, "sees": ", ".join(e.sees) or "-", "what": e.summary + (" (oracle)" * e.oracle)}
            for e in entries
        ]
    if subject == "backbones":
        from baselines.backbones import registry as backbones

        return [{"backbone": b.name, "checkpoint": b.checkpoint, "what": b.summary} for b in backbones.BACKBONES]
    if subject == "operators":
        from baselines.probing import registry as probing

        operators = [probing.info(name) for name in probing.names()]
        return [
            {"operator": o.name, "gradient": "yes" if o.needs_gradient else "no", "what": o.title, "source": o.source}
            for o in operators
        ]
    if subject == "metrics":
        from benchmark.metrics import all_metrics

        return [
            {
                "metric": m.name,
                "better": "higher" if m.higher_is_better else "lower",
                "range": f"{m.range[0]:g} .. {m.range[1]:.4g}",
                "what": m.definition,
            }
            for m in all_metrics()
        ]
    if subject == "splits":
        from tasks.splits import SPLIT_NOTES

        return [{"split": name, "what": text} for name, text in SPLIT_NOTES.items()]
    raise unknown_name("subject", subject, SUBJECTS)


def call(arguments: argparse.Namespace) -> int:
    """Print the list."""
    from benchmark.output.document import Document, Grid

    found = rows(arguments.subject)
    shown = Document("", (Grid.of_records(found, whole=list(found[0])[:1]),), data=lambda: found)
    options.show(shown, "json" if arguments.json else "terminal")
    return 0

"""``probe``: where a backbone looks on one session, as PNG and as numbers."""

import argparse
from pathlib import Path

from benchmark.cli import options
from tasks.errors import InputError, unknown_name


def add_arguments(add: options.Add) -> None:
    """Declare the options."""
    add("--backbone", required=True, metavar="NAME|DIR", help="registry name, folder or hub name")
    options.add_task_arguments(add)
    add("--session", required=True, metavar="SESSION_ID", help="the session to probe")
    add("--operator", default="attnlrp-stable", help="probing operator (default: attnlrp-stable)")
    add("--target", default="free", help="free: the model's own answer (default); label: the true click")
    add("--out", type=Path, metavar="FILE", help="the picture (.png, .svg, .pdf) to write")
    add("--json", action="store_true", help="print the slots as JSON")


def call(arguments: argparse.Namespace) -> int:
    """Probe, draw and print the slots."""
    from baselines.backbones.loading import load_backbone
    from baselines.probing.registry import create, info
    from baselines.tuning.reading import read_sessions
    from benchmark.output import drawing
    from benchmark.output.document import Document, Grid
    from benchmark.output.figure_style import check_name

    operator = info(arguments.operator)
    if operator.name == "gaze-heads":
        raise InputError("gaze-heads are chosen on training sessions; run the simulator: run --simulators gaze-heads.")
    if arguments.target not in ("free", "label"):
        raise unknown_name("target", arguments.target, ("free", "label"))
    out = check_name(arguments.out or f"{arguments.session}-{operator.name}.png")
    task = options.load_task(arguments.task, arguments.data)
    session = task.find(arguments.session)
    backbone = load_backbone(arguments.backbone)

    clicks = [session.click] if arguments.target == "label" else None
    [(attention, probabilities)] = read_sessions(backbone, [session], create(arguments.operator), clicks)
    named = [] if attention is None else [(f"{backbone.name}, {operator.name}, {arguments.target}", attention)]
    notice = ". ".join(line for line in (task.notice, backbone.notice) if line)
    drawing.draw_session(session, drawing.views_of(session, named), notice).save(out)
    rows = [
        {
            "slot": slot.label,
            "gaze": float(session.gaze[index]),
            "attention": None if attention is None else float(attention[index]),
            "probability": float(probabilities[index]),
            "clicked": index == session.click,
            "answer": index == int(probabilities.argmax()),
            "text": slot.text,
        }
        for index, slot in enumerate(session.slots)
    ]
    about = {"backbone": backbone.name, "fingerprint": backbone.fingerprint, "operator": operator.name}
    record = {**about, "target": arguments.target, "notice": notice, "picture": str(out), "slots": rows}
    table = [{**row, "clicked": "x" * row["clicked"], "answer": "x" * row["answer"]} for row in rows]  # type: ignore[operator]
    missing = ["No slot has relevance: the attention is missing."] if attention is None else []
    notices = (notice,) if notice else ()
    shown = Document("", (Grid.of_records(table),), notices, legend=(*missing, str(out)), data=lambda: record)
    options.show(shown, "json" if arguments.json else "terminal")
    return 0

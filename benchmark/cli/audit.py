"""``audit``: do reported numbers fit together?"""

import argparse

from benchmark.cli import options

PUBLISHED = "published"


def add_arguments(add: options.Add) -> None:
    """Declare the options."""
    add(
        "file",
        metavar="FILE|published",
        help="reported results (.json, .yaml, .csv, .md), the folder of a run or of 'reproduce', or the paper's tables",
    )
    add("--format", default="terminal", help="terminal (default), markdown, csv or json")
    add("--sessions", type=int, metavar="N", help="test sessions in a mean")
    add("--seeds", type=int, metavar="N", help="seeds in a mean")
    add("--slots", type=int, metavar="K", help="slots of a session")
    add("--average", help="sessions: a plain mean over sessions; users: users weigh alike")
    add("--ties", help="broken: sessions count whole; expected: a tie counts with its chance")
    add("--sd", help="sample or population: how SDs over seeds were computed")
    add("--baseline", metavar="METHOD", help="what improvements and stars refer to")
    add(
        "--deterministic",
        action="append",
        default=[],
        metavar="METHOD",
        help="a method whose numbers are the same under every seed; may be given again",
    )


def call(arguments: argparse.Namespace) -> int:
    """Print what is found; return 1 if something is impossible."""
    from benchmark import audit, published
    from benchmark.audit import findings
    from benchmark.audit.reading.mapping import setting_of
    from benchmark.audit.reported import amended
    from benchmark.output.rendering import check_format

    format = "terminal" if arguments.format == "table" else arguments.format  # as it was called before
    check_format(format, findings.FORMATS)
    names = {"n_sessions": "sessions", "n_seeds": "seeds", "n_slots": "slots"}
    given = {name: getattr(arguments, names.get(name, name)) for name in (*names, "average", "ties", "sd")}
    known = {name: value for name, value in given.items() if value is not None}
    setting_of(known, "the options", "'audit --help' describes them")
    reported = published.load() if arguments.file == PUBLISHED else audit.read(arguments.file, published.originals)
    reported = amended(reported, known, arguments.baseline, arguments.deterministic)
    outcomes = audit.examine(reported)
    options.show(findings.document(reported, outcomes), format)
    found = audit.in_order(outcomes)
    return 1 if any(finding.severity == "impossible" for finding in found) else 0

"""``audit``: do reported numbers fit together?"""

import argparse

from benchmark.cli import options

PUBLISHED = "published"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "file",
        metavar="FILE|published",
        help="reported results (.json, .yaml, .csv, .md), the folder of a run or of 'reproduce', or the paper's tables",
    )
    parser.add_argument("--format", default="terminal", help="terminal (default), markdown, csv or json")
    parser.add_argument("--sessions", type=int, metavar="N", help="test sessions in a mean")
    parser.add_argument("--seeds", type=int, metavar="N", help="seeds in a mean")
    parser.add_argument("--slots", type=int, metavar="K", help="slots of a session")
    parser.add_argument("--average", help="sessions: a plain mean over sessions; users: users weigh alike")
    parser.add_argument("--ties", help="broken: sessions count whole; expected: a tie counts with its chance")
    parser.add_argument("--sd", help="sample or population: how SDs over seeds were computed")
    parser.add_argument("--baseline", metavar="METHOD", help="what improvements and stars refer to")
    parser.add_argument(
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

"""``python -m benchmark``, also installed as ``gazebench``."""

import sys

from benchmark import check_packages


def main() -> int:
    """Run the command line and return the exit status."""
    try:
        check_packages()
    except ImportError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    from benchmark.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())

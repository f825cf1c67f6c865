"""Compiles what the suite writes as LaTeX, where there is a LaTeX."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

AWKWARD = "50 % of A&B_{c} #1 $x$ ~a^b \\cmd <i> ≤ ≥ ± − – λ ▲ ▼ ↑ é ñ ß 'q' \"q\""
"""What has a meaning in LaTeX, and the characters beyond ASCII that captions and names hold."""


def compiles(body: str, tmp_path: Path, mode: str = "twocolumn") -> str:
    """Compile a document with ``body`` and return what LaTeX says."""
    pdflatex = shutil.which("pdflatex")
    if pdflatex is None:
        pytest.skip("there is no pdflatex")
    document = rf"""\documentclass[10pt,{mode}]{{article}}
\usepackage[utf8]{{inputenc}}
\usepackage[T1]{{fontenc}}
\usepackage{{booktabs,graphicx}}
\begin{{document}}
{body}
\end{{document}}
"""
    (tmp_path / "page.tex").write_text(document, encoding="utf-8")
    command = [pdflatex, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "page.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    if "booktabs.sty' not found" in done.stdout:
        pytest.skip("this LaTeX has no booktabs")
    complaints = [line for line in done.stdout.splitlines() if re.match(r"!|LaTeX Warning: (File|Reference)", line)]
    assert done.returncode == 0 and (tmp_path / "page.pdf").stat().st_size > 1000, "\n".join(complaints)
    return done.stdout

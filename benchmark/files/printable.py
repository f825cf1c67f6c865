"""Text from a file that is not trusted, as it may be printed, and ids that only look alike."""

import unicodedata
from collections.abc import Sequence


def shown(text: object, limit: int = 80) -> str:
    """Return a text from a submission as it may be printed: short, on one line, characters beyond ASCII spelt out.

    A Cyrillic letter that looks like a Latin one shows as its code, and nothing can move the terminal's cursor.
    """
    plain = "".join(
        c if " " <= c <= "~" else c.encode("unicode_escape").decode("ascii") for c in str(text)[: limit + 1]
    )
    return plain if len(plain) <= limit else plain[: limit - 3] + "..."


_TWINS = str.maketrans("авгеіјкмнорѕтухԁһӏѵαβειικνορτυχ0135|!$@", "abreijkmhopstyxdhlvabeiiknoptyxolesllsa")
"""Letters of other scripts, digits and signs -> the Latin letters that they look like."""


def skeleton(name: str) -> str:
    """Return what is left of a name when look-alikes are the same: letters and digits alone, i and l as one."""
    plain = unicodedata.normalize("NFKC", name).casefold().translate(_TWINS).replace("i", "l")
    return "".join(c for c in unicodedata.normalize("NFKD", plain) if c.isalnum()).replace("rn", "m").replace("vv", "w")


def look_alike(text: str, known: Sequence[str]) -> str | None:
    """Return the known id that ``text`` looks like without being it, or None.

    Compared are the letters and digits that remain when compatibility forms and accents are taken away; characters
    outside ASCII stand for any one character.
    """
    if text.isascii():
        return None
    folded = [c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c) and c.isprintable()]
    for candidate in known:
        if len(candidate) == len(folded) and all(
            not a.isascii() or a.casefold() == b.casefold() for a, b in zip(folded, candidate, strict=True)
        ):
            return candidate
    return None

"""Damage to a file's bytes, as disks, hands and attackers do it."""


def damaged(content, random):
    """Return bytes with one kind of damage."""
    found, kind = bytearray(content), int(random.integers(6))
    at = int(random.integers(max(len(found), 1)))
    if kind == 0 or not found:
        return b""
    if kind == 1:
        return bytes(found[:at])
    if kind == 2:
        return bytes(found[:at] + bytes(int(random.integers(1, 200))) + found[at:])
    if kind == 3:
        return bytes(random.integers(0, 256, len(found), dtype="uint8"))
    if kind == 4:
        end = at + int(random.integers(1, 64))
        return bytes(found[:at] + found[end:])
    found[at] ^= 1 << int(random.integers(8))
    return bytes(found)

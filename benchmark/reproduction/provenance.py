"""What a table or figure must say of where its numbers come from: data, stand-ins, settings, what is missing."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.output.units import counted
from benchmark.reproduction.checkpoints import described, is_stand_in, size_note
from benchmark.reproduction.groups import Found, Group, Missing, spelt

NOTE = "NOTE: "
"""How a caption begins that must be read before any number."""


def notes(
    found: Sequence[Found],
    missing: Sequence[Missing] = (),
    labels: Mapping[str, str] | None = None,
    *,
    operators: bool = True,
) -> list[str]:
    """Return the captions that are printed above the numbers, each a sentence after ``NOTE:``."""
    lines = list(dict.fromkeys(one.data_notice for one in found if one.data_notice))
    groups = [one.group for one in found]
    stand_ins = {g.backbone: g.used_backbone for g in groups if is_stand_in(g.used_backbone)}
    stand_ins |= {g.operator: g.used_operator for g in groups if operators and g.used_operator != g.operator}
    if stand_ins:
        pairs = [f"{used} for {name}" for name, used in stand_ins.items()]
        lines.append(f"Stand-in{'s' if len(pairs) > 1 else ''}: {', '.join(pairs)}")
    lines += _merged(found)
    lines += filter(None, map(_size, groups))
    lines += _quick(found)
    moved = {key: value for one in found for key, value in one.moved.items()}
    if moved:
        words = (f"{key}={f'{value:g}' if isinstance(value, float) else value}" for key, value in moved.items())
        lines.append(f"Settings moved with --set: {', '.join(words)}")
    if missing:
        lines.append(f"Missing: {missing_in_words(missing, labels or {})}")
    return [NOTE + sentence(line) for line in dict.fromkeys(lines)]


def short_notice(one: Found, *, operators: bool = True) -> str:
    """Return in a few words what is not the real thing of a group, with its operator if that matters; may be empty."""
    group = one.group
    words = [
        "simulated data" if one.data_notice else "",
        "stand-in backbone" if is_stand_in(group.used_backbone) else "not the published model" if _size(group) else "",
        "stand-in operator" if operators and group.used_operator != group.operator else "",
        "preset quick" if group.quick else "",
        "settings moved" if one.moved else "",
    ]
    return "; ".join(word for word in words if word)


def checkpoints(found: Sequence[Found]) -> list[str]:
    """Return a caption on the checkpoints that were run, none if there is no model."""
    groups = {one.group.used_backbone: one.group for one in found}
    lines = [described(g.backbone, g.used_backbone, g.checkpoint) for g in groups.values() if g.used_backbone]
    return [f"Checkpoints: {', '.join(lines)}."] if lines else []


def missing_in_words(missing: Sequence[Missing], labels: Mapping[str, str]) -> str:
    """Return what is left out and why in one line, simulators by their labels."""
    parts = []
    for one in missing:
        varied = one.group.varied
        where = ", ".join(one.group.shown) + (f", {spelt(varied.setting)} = {varied.value:g}" if varied else "")
        name = labels.get(one.simulator, one.simulator)
        parts.append(f"{name} of {where} ({one.failed} of {one.trials} trials failed)")
    return "; ".join(dict.fromkeys(parts))


def sentence(text: str) -> str:
    """Return a text that ends in one full stop."""
    return text.strip().rstrip(".;") + "."


def data_of(one: Found) -> dict[str, Any]:
    """Return the test sessions of a group as JSON values.

    ``slots`` is every K that occurs, ``n_slots`` K, None where it varies; ``notice`` is empty for recorded data.
    """
    results = one.results
    names = ("version", "split", "n_sessions", "n_users", "seeds", "slots", "ties")
    return {
        **{name: getattr(results, name) for name in names},
        "n_slots": results.slots[0] if len(results.slots) == 1 else None,
        "uniform_logloss": results.uniform_logloss,
        "notice": one.data_notice,
    }


def settings_of(one: Found, simulator: str) -> dict[str, object]:
    """Return all settings of a simulator of a group, spelt as the user knows them; empty if it is missing."""
    rows = (row for row in one.results.simulators if row.name == simulator)
    return {spelt(key): value for row in rows for key, value in row.settings.items()}


def _merged(found: Sequence[Found]) -> list[str]:
    """Return what must be said of the simulators; what holds of several backbones is said once."""
    names: dict[str, list[str]] = {}
    for one in found:
        for notice in one.notices:
            # A shipped stand-in's notice names it; two that differ in the name alone say the same.
            used = one.group.used_backbone
            text = notice.replace(used, "\0") if is_stand_in(used) else notice
            names.setdefault(text, []).append(used)
    lines = []
    for text, backbones in names.items():
        first, *others = dict.fromkeys(backbones)
        also = f"; so {'is' if len(others) == 1 else 'are'} {' and '.join(others)}" if others and "\0" in text else ""
        lines.append(text.replace("\0", first).rstrip(".") + also)
    return lines


def _size(group: Group) -> str:
    """Return the note on a checkpoint of another size than the published one; pocket stand-ins are named as such."""
    if group.checkpoint is None or is_stand_in(group.used_backbone):
        return ""
    return size_note(group.backbone, group.used_backbone, group.checkpoint)


def _quick(found: Sequence[Found]) -> list[str]:
    """Return what the preset quick came to, read from the runs themselves."""
    quick = [one for one in found if one.group.quick]
    if not quick:
        return []
    seeds = max(len(one.results.seeds) for one in quick)
    found_epochs = [row.settings.get("epochs") for one in quick for row in one.results.simulators]
    epochs = [number for number in found_epochs if isinstance(number, int)]
    trained = f" and at most {counted(max(epochs), 'epoch')}" if epochs else ""
    return [f"Preset quick, {counted(seeds, 'seed')}{trained}: too few for conclusions"]

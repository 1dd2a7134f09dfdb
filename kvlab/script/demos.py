"""Where the demos are: `chapters/NN_name/demo.scenario`, the script that an instructor presents.

In a wheel the chapters lie inside the package, in a clone beside it.
"""

from __future__ import annotations

from pathlib import Path

from kvlab.errors import UserError

_PACKAGE = Path(__file__).parents[1]


def chapters() -> Path:
    """The folder of the chapters."""
    inside = _PACKAGE / "chapters"
    return inside if inside.is_dir() else _PACKAGE.parent / "chapters"


def demos() -> dict[int, Path]:
    """The demos that there are, by the number of their stage, in order."""
    return {int(path.parent.name[:2]): path for path in sorted(chapters().glob("[0-9][0-9]_*/demo.scenario"))}


def demo(stage: int) -> Path:
    """The demo of this stage. Raises UserError, which names those that there are."""
    known = demos()
    if stage not in known:
        numbers = ", ".join(map(str, known)) or f"none: {chapters()} has no chapters"
        raise UserError(f"there is no demo {stage}; there are {numbers}. `kvlab demo --list` says what about")
    return known[stage]


def about(path: Path) -> str:
    """What a demo says of itself, in the comment that it opens with."""
    return path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")

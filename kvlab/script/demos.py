"""Where the demos are: `chapters/NN_name/demo.scenario`, the script that an instructor presents."""

from __future__ import annotations

from pathlib import Path

from kvlab.errors import UserError
from kvlab.stages.pieces import chapters_folder


def demos() -> dict[int, Path]:
    """The demos that there are, by the number of their stage, in order."""
    return {
        int(path.parent.name[:2]): path
        for path in sorted(chapters_folder().glob("[0-9][0-9]_*/demo.scenario"))
    }


def demo(stage: int) -> Path:
    """The demo of this stage. Raises UserError, which names those that there are."""
    known = demos()
    if stage not in known:
        numbers = ", ".join(map(str, known)) or f"none: {chapters_folder()} has no chapters"
        raise UserError(f"there is no demo {stage}; there are {numbers}. `kvlab demo --list` says what about")
    return known[stage]


def about(path: Path) -> str:
    """What a demo says of itself, in the comment that it opens with."""
    return path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")

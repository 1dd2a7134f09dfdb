"""What the lab knows of its user from one day to the next: which stages were opened, and reports of crashes.

All of it is in one folder, $XDG_STATE_HOME/kvlab or ~/.local/state/kvlab, and may be deleted at any time.
That a stage was opened is all that is noted here: nobody claims that it was understood. What was done of
the exercises stands in the reader's workspace (course/workspace.py).
"""

from __future__ import annotations

import contextlib
import os
import re
from datetime import date
from pathlib import Path

from kvlab.course import workspace
from kvlab.errors import UserError
from kvlab.lab.draw.start import Known
from kvlab.stages.pieces import chapters


def folder() -> Path:
    """Where it is; it need not exist."""
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home).expanduser() / "kvlab"


def opened() -> dict[int, str]:
    """The stages that were opened in the lab, and the day on which they last were."""
    try:
        text = (folder() / "opened.txt").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}  # nothing is known: that is how everybody begins
    found = re.findall(r"^stage ([1-9]) (\d{4}-\d\d-\d\d)$", text, re.MULTILINE)
    return {int(stage): day for stage, day in found}


def known() -> Known:
    """What the start screen tells: the stages opened, and in a workspace, what was done there."""
    try:
        mine = workspace.find()
    except UserError:
        return Known(opened())
    try:
        done = mine.done()
    except (UserError, OSError, UnicodeDecodeError) as error:
        return Known(opened(), trouble=f"How far you are cannot be told: {error}")
    exercises = {
        number: {exercise: (number, exercise) in done for exercise in workspace.EXERCISES}
        for number in chapters()
    }
    return Known(opened(), exercises)


def note_opened(stage: int, today: date | None = None) -> None:
    """Remember that this stage was opened today, if anything can be kept here at all."""
    known = {**opened(), stage: (today or date.today()).isoformat()}
    lines = [f"stage {number} {day}\n" for number, day in sorted(known.items())]
    with contextlib.suppress(OSError):  # a home that is read-only is no reason not to open the lab
        folder().mkdir(parents=True, exist_ok=True)
        (folder() / "opened.txt").write_text("".join(lines), encoding="utf-8")

"""The workspace: a folder of the reader's own, with their pieces and how far they are.

    ~/kv/
      kvlab.txt           progress, in plain text; its presence makes a folder a workspace
      chapters/
        01_hashmap/       lesson.md to read, store.py to write, break.scenario ...

Invariant: what the reader wrote is never overwritten without a copy of it beside.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import msgspec

from kvlab.course.reading import with_its_code
from kvlab.errors import UserError
from kvlab.stages.pieces import Chapter, chapters, chapters_folder

PROGRESS = "kvlab.txt"
TITLE = "# What you have done of kvlab's chapters. `kvlab progress` shows it; you may edit it.\n"
KEPT = ("check_*.py", "solution.py", "measure.py", "predict.scenario", "break_solution.scenario", "hints.md",
        "chapter.toml")  # fmt: skip
"""What a chapter does not put into a workspace: whatever judges, and whatever answers."""

EXERCISES = ("build", "predict", "break", "measure")
NOTED = (*EXERCISES, "hint", "solution")
"""What progress is noted of."""


class Workspace(msgspec.Struct, frozen=True):
    """One reader's folder."""

    folder: Path

    def chapter_folder(self, chapter: Chapter) -> Path:
        return self.folder / "chapters" / chapter.folder.name

    def piece(self, chapter: Chapter) -> Path:
        """The reader's file for this chapter. Raises UserError if it is not there."""
        path = self.chapter_folder(chapter) / chapter.piece
        if not path.is_file():
            raise UserError(
                f"{path} is not there; `kvlab reset {chapter.number}` puts the starter into its place"
            )
        return path

    # -- progress --------------------------------------------------------------------------------

    def done(self) -> dict[tuple[int, str], str]:
        """What was done, (chapter, exercise), and what was noted with it. Raises UserError."""
        found: dict[tuple[int, str], str] = {}
        path = self.folder / PROGRESS
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            words = line.partition("#")[0].split(maxsplit=2)
            if not words:
                continue
            if len(words) < 2 or not words[0].isdecimal() or words[1] not in NOTED:
                raise UserError(
                    f"{path}, line {number}: expected a chapter and one of {', '.join(NOTED)}, as in "
                    f"`5 build`, and got {line!r}"
                )
            found[int(words[0]), words[1]] = words[2] if len(words) == 3 else ""
        return found

    def note(self, chapter: int, what: str, text: str = "") -> bool:
        """Note that this is done, with its latest text; True if it was not done before."""
        before = self.done()
        path = self.folder / PROGRESS
        line = f"{chapter} {what} {text}".rstrip()
        kept = []
        for old in path.read_text(encoding="utf-8").splitlines():
            words = old.partition("#")[0].split(maxsplit=2)
            if words[:2] != [str(chapter), what]:
                kept.append(old)
        whole = "\n".join([*kept, line, ""])
        part = path.with_suffix(".part")
        part.write_text(whole, encoding="utf-8")
        part.replace(path)  # at once: whoever ends us here has the old one or the new one
        return (chapter, what) not in before

    # -- files -----------------------------------------------------------------------------------

    def fill(self, wanted: Iterable[Chapter]) -> list[Path]:
        """Put in what is not there yet; returns what was put in."""
        made = []
        for chapter in wanted:
            folder = self.chapter_folder(chapter)
            folder.mkdir(parents=True, exist_ok=True)
            for source in sorted(chapter.folder.iterdir()):
                target = folder / source.name
                kept = any(source.match(pattern) for pattern in KEPT)
                if source.is_file() and not kept and not target.exists():
                    if source.name == "lesson.md":
                        lesson = source.read_text(encoding="utf-8")
                        target.write_text(with_its_code(lesson), encoding="utf-8")
                    else:
                        shutil.copyfile(source, target)
                    made.append(target)
        return made

    def reset(self, chapter: Chapter) -> Path | None:
        """Put the starter into place again; returns where what was there is kept, if anything was."""
        folder = self.chapter_folder(chapter)
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / chapter.piece
        kept = None
        if target.exists():
            kept = free_name(target)
            target.rename(kept)
        shutil.copyfile(chapter.starter, target)
        return kept


def free_name(path: Path) -> Path:
    """store.py -> store.1.bak, or the next number that is free."""
    number = 1
    while (found := path.with_name(f"{path.stem}.{number}.bak")).exists():
        number += 1
    return found


def begin(folder: Path) -> Workspace:
    """Make this folder a workspace. Raises UserError if it holds something else, or is one already."""
    if (folder / PROGRESS).exists():
        raise UserError(f"{folder} is a workspace already; `kvlab progress` in it shows how far you are")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there and not empty; give the name of a folder that is not there yet")
    if chapters_folder().resolve() in (folder.resolve(), *folder.resolve().parents):
        raise UserError(f"{folder} is inside kvlab's own chapters; choose a folder of your own, such as ~/kv")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PROGRESS).write_text(TITLE, encoding="utf-8")
    workspace = Workspace(folder)
    workspace.fill(chapters().values())
    return workspace


def find(start: Path | None = None) -> Workspace:
    """The workspace that one stands in. Raises UserError, which says how to get one."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / PROGRESS).is_file():
            return Workspace(folder)
    raise UserError(
        f"{here} is not in a workspace. `kvlab init ~/kv` makes one; if you have one, `cd` into it first"
    )


def current(workspace: Workspace) -> int:
    """The first chapter whose piece does not pass yet; the last one if all do."""
    done = workspace.done()
    numbers = list(chapters())
    return next((number for number in numbers if (number, "build") not in done), numbers[-1])

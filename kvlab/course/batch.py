"""Batch: grade a folder of submissions, each piece in a process of its own, on all cores.

Invariant: what has been graded once is not graded again, as long as neither the file nor the seed has
    changed: a run that was interrupted goes on where it was.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from kvlab import __version__
from kvlab.course import reports
from kvlab.course.grading import graded
from kvlab.course.tell import told
from kvlab.course.verdict import Failure, Verdict
from kvlab.errors import KvlabError, UserError
from kvlab.stages.pieces import Chapter


class Submission(msgspec.Struct, frozen=True):
    """One student's folder, and the pieces in it, by chapter."""

    student: str
    folder: Path
    pieces: dict[int, Path]


class Graded(msgspec.Struct, frozen=True):
    """One student's verdicts, as they are kept: {chapter: (fingerprint of what was graded, verdict)}."""

    student: str
    verdicts: dict[int, tuple[str, Verdict]]

    def verdict(self, chapter: int) -> Verdict | None:
        found = self.verdicts.get(chapter)
        return None if found is None else found[1]


def submissions(folders: Iterable[Path], chapters: Sequence[Chapter]) -> list[Submission]:
    """Each folder that has pieces in it; of one that has not, each folder in it. Raises UserError."""
    found: dict[str, Submission] = {}
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{folder} is no folder")
        inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
        own = pieces_in(folder, chapters)
        for path in [folder] if own else inside:
            one = Submission(path.resolve().name, path, pieces_in(path, chapters))
            if one.student in found:
                raise UserError(f"{found[one.student].folder} and {path} have the same name: whose is whose?")
            found[one.student] = one
    if not found:
        raise UserError("there are no submissions: give a folder of workspaces, or of folders with pieces")
    return list(found.values())


def pieces_in(folder: Path, chapters: Sequence[Chapter]) -> dict[int, Path]:
    """The pieces of a workspace, or of a folder in which they lie loose."""
    found = {}
    for chapter in chapters:
        places = (
            folder / "chapters" / chapter.folder.name / chapter.piece,
            folder / chapter.folder.name / chapter.piece,
            folder / chapter.piece,
        )
        path = next((place for place in places if place.is_file()), None)
        if path is not None:
            found[chapter.number] = path
    return found


def fingerprint(path: Path, seed: int) -> str:
    """Another one, once anything has changed that a verdict depends on."""
    return hashlib.sha256(b"%s/%d/%s" % (__version__.encode(), seed, path.read_bytes())).hexdigest()[:16]


def grade_all(
    students: Sequence[Submission],
    chapters: Sequence[Chapter],
    out: Path,
    *,
    seed: int,
    limit_s: float,
    memory_mb: int,
    jobs: int | None = None,
    tell: Callable[[Graded], None] = lambda graded: None,
) -> list[Graded]:
    """Grade whatever is not graded yet; one report a student is in `out` as soon as he is done."""
    out.mkdir(parents=True, exist_ok=True)

    def one(student: Submission) -> Graded:
        before = kept(out, student.student)
        verdicts: dict[int, tuple[str, Verdict]] = {}
        for chapter in chapters:
            path = student.pieces.get(chapter.number)
            if path is None:
                continue
            mark = ""
            try:
                mark = fingerprint(path, seed)
                old = before.verdicts.get(chapter.number) if before is not None else None
                if old is not None and old[0] == mark:
                    verdicts[chapter.number] = old
                    continue
                if not path.resolve().is_relative_to(student.folder.resolve()):
                    raise UserError("this is a link that leads out of the submission")
                verdict = graded(chapter, path.resolve(), seed=seed, limit_s=limit_s, memory_mb=memory_mb)
            except (KvlabError, OSError) as error:
                problem = Failure(got=str(error), file=path.name)
                verdict = Verdict(chapter.number, chapter.title, str(path), seed, (), problem)
            verdicts[chapter.number] = (mark, verdict)
        done = Graded(student.student, verdicts)
        report(out, done)
        return done

    results = []
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        try:
            for done in pool.map(one, students):
                tell(done)
                results.append(done)
        finally:
            pool.shutdown(cancel_futures=True)
    return results


def table(out: Path, done: Sequence[Graded], chapters: Sequence[Chapter]) -> Path:
    """All scores as a CSV, for a spreadsheet: a row a student, a column a chapter; "" for no file."""
    path = out / "table.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["student", *(f"chapter {chapter.number}" for chapter in chapters)])
        for one in done:
            found = [one.verdict(chapter.number) for chapter in chapters]
            writer.writerow([one.student, *("" if verdict is None else verdict.score for verdict in found)])
    return path


def kept(out: Path, student: str) -> Graded | None:
    """What an earlier run has found."""
    try:
        return msgspec.json.decode((out / f"{student}.json").read_bytes(), type=Graded)
    except (OSError, msgspec.MsgspecError):
        return None


def report(out: Path, done: Graded) -> None:
    """One student's report: for a person, for JUnit's readers and Gradescope, and for the next run."""
    lines = []
    for number, (_, verdict) in done.verdicts.items():
        lines += [line for line, _ in told(verdict, f"kvlab check {number}", whole=True)]
        lines.append("")
    lines = lines or ["There is no file to check in this submission.", ""]
    (out / f"{done.student}.txt").write_text("\n".join(lines), encoding="utf-8")
    verdicts = [verdict for _, verdict in done.verdicts.values()]
    (out / f"{done.student}.junit.xml").write_text(reports.junit(verdicts), encoding="utf-8")
    (out / f"{done.student}.gradescope.json").write_text(reports.gradescope(verdicts), encoding="utf-8")
    part = out / f"{done.student}.json.part"
    part.write_bytes(msgspec.json.encode(done))
    part.replace(out / f"{done.student}.json")

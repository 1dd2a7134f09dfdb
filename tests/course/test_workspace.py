"""A folder of one's own: made, filled, found again, never overwritten; and the commands that work in it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from kvlab.cli import main
from kvlab.course import batch, workspace
from kvlab.course.batch import grade_all, kept, submissions
from kvlab.course.verdict import Check, Failure, Outcome, Verdict
from kvlab.course.watching import Stand
from kvlab.errors import UserError
from kvlab.stages import pieces

STORE = pieces.chapter(1)
REFERENCE = STORE.file("solution.py")


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> workspace.Workspace:
    """A fresh workspace, in which one stands."""
    found = workspace.begin(tmp_path / "kv")
    monkeypatch.chdir(found.folder)
    return found


def kvlab(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, arguments, input=typed)


def test_init_puts_the_starters_into_a_folder_and_says_what_comes_next(tmp_path: Path) -> None:
    done = kvlab("init", str(tmp_path / "kv"))
    assert done.exit_code == 0
    assert "kvlab watch" in done.output
    copied = tmp_path / "kv" / "chapters" / "01_hashmap" / "store.py"
    assert copied.read_bytes() == STORE.starter.read_bytes()
    assert not list((tmp_path / "kv").rglob("check_*")), "the checks are never the reader's"
    assert not list((tmp_path / "kv").rglob("*solution*"))
    assert (copied.parent / "lesson.md").exists()
    assert (copied.parent / "demo.scenario").exists(), "what a lesson tells to run is there"


def test_a_lesson_that_init_copies_has_the_code_that_the_site_includes(mine: workspace.Workspace) -> None:
    lesson = (mine.chapter_folder(STORE) / "lesson.md").read_text()
    assert "async def put(self, key: Key, item: Item, w: int | None = None) -> None:\n" in lesson
    assert '    """What one write of 100 bytes takes:' in lesson, "as far indented as what it stands in"
    assert [path for path in mine.folder.rglob("lesson.md") if "--8<--" in path.read_text()] == []


def test_init_leaves_alone_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    assert "not empty" in kvlab("init", str(tmp_path)).output
    kvlab("init", str(tmp_path / "kv"))
    assert "a workspace already" in kvlab("init", str(tmp_path / "kv")).output


def test_init_update_puts_in_what_is_new_and_changes_nothing(mine: workspace.Workspace) -> None:
    mine.piece(STORE).write_text("mine")
    gone = mine.chapter_folder(STORE) / "break.scenario"
    gone.unlink()
    assert kvlab("init", str(mine.folder), "--update").exit_code == 0
    assert gone.exists()
    assert mine.piece(STORE).read_text() == "mine"


def test_outside_a_workspace_every_command_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = (
        ["check"],
        ["hint"],
        ["reset", "1"],
        ["solution", "1"],
        ["progress"],
        ["watch"],
        ["break", "1"],
    )
    for command in commands:
        done = kvlab(*command)
        assert done.exit_code == 2, command
        assert "kvlab init" in done.output or "FILE" in done.output, done.output


def test_a_workspace_is_found_from_within(mine: workspace.Workspace) -> None:
    assert workspace.find(mine.chapter_folder(STORE)).folder == mine.folder.resolve()


def test_check_notes_what_passes_and_goes_on_to_the_next(mine: workspace.Workspace) -> None:
    assert kvlab("check").exit_code == 1
    assert mine.done() == {}
    shutil.copyfile(REFERENCE, mine.piece(STORE))
    assert kvlab("check", "1").exit_code == 0
    assert (1, "build") in mine.done()
    assert workspace.current(mine) != 1


def test_a_failing_cluster_is_kept_to_be_watched(mine: workspace.Workspace) -> None:
    of = pieces.chapter(5)
    text = of.file("solution.py").read_text(encoding="utf-8")
    mine.piece(of).write_text(text.replace('        raise too_few("the write", tally)', "        return"))
    done = kvlab("check", "5")
    (kept_file,) = (mine.folder / "failures").iterdir()
    here = kept_file.relative_to(mine.folder)
    assert str(here) == "failures/05_too_few_is_an.scenario"
    assert f"kvlab run {here} --world sim --mine" in done.output
    assert kvlab("run", str(kept_file), "--world", "sim", "--mine").exit_code == 1
    assert kvlab("run", str(kept_file), "--world", "sim").exit_code == 0


def test_the_command_that_a_failure_names_shows_it_again(mine: workspace.Workspace) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    mine.piece(STORE).write_text(text.replace("self.bytes -= footprint(key, self.held[key])", "pass"))
    first = kvlab("check", "1", "--seed", "7").output
    (again,) = re.findall(r"^  again     kvlab (check .*)$", first, re.MULTILINE)
    told = first[first.index("\n\n", first.index("  no  ")) : first.index("  again  ")]
    assert told in kvlab(*again.split()).output


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("def footprint(", "def footprint((", "store.py, line 18: this is not Python"),
        ("    def peek(", "    def look(", "store.py: expected Store.peek(self, key, now_ms)"),
        ("def footprint(", "import nowhere\n\n\ndef footprint(", "there is no module nowhere here"),
        (
            "def footprint(",
            "import sys\n\nsys.exit(0)\n\n\ndef footprint(",
            "line 20: this raises SystemExit",
        ),
    ],
)
@pytest.mark.parametrize("command", [["lab", "1", "--plain"], ["up", "1"], ["run", "play", "--world", "sim"]])
def test_a_piece_that_cannot_run_is_told_in_one_sentence_by_whatever_would_run_it(
    command: list[str], old: str, new: str, said: str, mine: workspace.Workspace
) -> None:
    mine.piece(STORE).write_text(REFERENCE.read_text(encoding="utf-8").replace(old, new, 1))
    (mine.folder / "play").write_text("cluster stage=1\nput k v\n")
    done = kvlab(*command, "--mine")
    assert done.exit_code in (1, 2)
    assert said in done.output
    assert "Traceback" not in done.output


def test_hints_come_one_at_a_time(mine: workspace.Workspace) -> None:
    titles = [kvlab("hint", "1").output.splitlines()[0] for _ in range(4)]
    assert titles == [
        "Hint 1 of 3: A nudge", "Hint 2 of 3: The idea", "Hint 3 of 3: Nearly there",
        "Hint 3 of 3: Nearly there",
    ]  # fmt: skip
    assert "`kvlab solution 1 --give-up` shows" in kvlab("hint", "1", "--again").output
    assert kvlab("hint", "1", "--again").output.count("Hint ") == 3
    assert mine.done() == {(1, "hint"): "3"}


def test_reset_keeps_what_was_there(mine: workspace.Workspace) -> None:
    for number in (1, 2):
        mine.piece(STORE).write_text(f"try {number}")
        assert f"store.{number}.bak" in kvlab("reset", "1").output
    folder = mine.chapter_folder(STORE)
    assert [(folder / f"store.{n}.bak").read_text() for n in (1, 2)] == ["try 1", "try 2"]
    assert mine.piece(STORE).read_bytes() == STORE.starter.read_bytes()


def test_the_solution_is_for_those_who_have_one_or_give_up(mine: workspace.Workspace) -> None:
    assert kvlab("solution", "1").exit_code == 2
    assert kvlab("solution", "1", "--give-up").output == REFERENCE.read_text(encoding="utf-8")
    mine.note(1, "build")
    assert kvlab("solution", "1").exit_code == 0
    assert "`kvlab solution 1` shows" in [kvlab("hint", "1").output for _ in range(3)][-1]


def test_progress_is_a_text_that_one_may_edit_and_mistakes_in_it_are_told(mine: workspace.Workspace) -> None:
    path = mine.folder / workspace.PROGRESS
    path.write_text("# mine\n1 build   # at last\n5 predict 4/5\n")
    assert mine.done() == {(1, "build"): "", (5, "predict"): "4/5"}
    found = json.loads(kvlab("progress", "--json").output)["chapters"]
    assert (found["1"]["build"], found["5"]["predict"], found["5"]["break"]) == (True, True, False)
    path.write_text("one build\n")
    done = kvlab("progress")
    assert done.exit_code == 2
    assert "line 1: expected a chapter and one of build" in done.output


def test_lab_run_and_up_ask_for_a_workspace_and_for_a_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "kvlab init" in kvlab("lab", "1", "--mine", "--plain").output
    assert "of which stage" in kvlab("lab", "--mine").output


def test_the_starter_in_a_cluster_is_an_unwritten_piece_and_no_crash(mine: workspace.Workspace) -> None:
    done = kvlab("run", str(STORE.file("demo.scenario")), "--world", "sim", "--mine")
    assert done.exit_code == 2
    assert "Store.__init__ is not written yet" in done.output


# -- predict, break ------------------------------------------------------------------------------


def test_predict_asks_looks_and_counts(mine: workspace.Workspace) -> None:
    done = kvlab("predict", "5", typed="1\n1\n1\n3\n1\n")
    assert done.exit_code == 1
    assert "no, it is: missing" in done.output
    assert mine.done() == {(5, "predict"): "4/5"}
    assert "type the number of a choice, 1 to 3" in kvlab("predict", "5", typed="milk\n0\n").output
    left = kvlab("predict", "5", typed="1\nq\n").output
    assert "\n2. " in left
    assert "\n3. " not in left
    assert "type the number" not in left
    assert "expected 5 numbers" in kvlab("predict", "5", "--answers", "1,2").output


def test_break_finds_the_very_violation_or_says_why_not(mine: workspace.Workspace) -> None:
    held = kvlab("break", "5").output
    assert "until linearizable is violated" in " ".join(held.split())
    assert "Not broken: linearizable holds" in held
    assert "what was done and found:\n  0 to 4 ms  put k old via n4  ok\n" in held
    of = pieces.chapter(5)
    done = kvlab("break", "5", str(of.file("break_solution.scenario")))
    assert done.exit_code == 0
    assert "linearizable is broken" in done.output
    assert "client" in done.output, "the diagram"
    assert (5, "break") in mine.done()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("cluster stage=4\nput k v\n", "it runs stage 4, and it is stage 5 that is to be broken"),
        ("cluster stage=5 r=1\nput k v\n", "its cluster has r=1, and what is to be broken needs r=2"),
        ("cluster stage=5\nput k v\nskew n1 +5s\n", "line 3: it has to do without `skew`"),
        ("cluster stage=5\nput k v\nexpect get k = w\n", "goes astray: line 3 does not hold"),
        ("cluster stage=5\nputt k v\n", "putt"),
    ],
)
def test_a_scenario_that_proves_nothing_is_told_why(
    script: str, said: str, mine: workspace.Workspace
) -> None:
    (mine.folder / "my.scenario").write_text(script)
    done = kvlab("break", "5", "my.scenario")
    assert done.exit_code != 0
    assert said in done.output


# -- watch ---------------------------------------------------------------------------------------


def stand(*outcomes: Outcome, next_chapter: int | None = 2, hints_left: int = 1) -> Stand:
    failure = Failure(got="f is not written yet")
    checks = tuple(
        Check(f"check_{i}", f"Rule {i}.", outcome, 0.0, None if outcome is Outcome.PASSED else failure)
        for i, outcome in enumerate(outcomes)
    )
    return Stand(STORE, Verdict(1, "A store", "store.py", 1, checks), next_chapter, hints_left)


def test_watch_shows_only_the_keys_that_do_something_now() -> None:
    assert list(stand(Outcome.TO_DO, Outcome.TO_DO).keys) == ["enter", "h", "q"]
    assert list(stand(Outcome.FAILED, Outcome.FAILED, hints_left=0).keys) == ["enter", "a", "q"]
    assert list(stand(Outcome.PASSED).keys) == ["enter", "n", "s", "q"]
    assert list(stand(Outcome.PASSED, next_chapter=None).keys) == ["enter", "s", "q"]


def test_the_first_screen_says_that_red_is_where_one_starts() -> None:
    first, *_ = stand(Outcome.TO_DO, Outcome.TO_DO).screen(Path("store.py"))
    assert "red: that is where one starts" in first[0]
    assert "red" not in next(iter(stand(Outcome.PASSED, Outcome.TO_DO).screen(Path("store.py"))))[0]


def test_what_is_taller_than_the_terminal_is_told_without_the_list_of_checks() -> None:
    now = stand(*[Outcome.PASSED] * 20, Outcome.FAILED, *[Outcome.TO_DO] * 12)
    lines = [line for line, _ in now.screen(Path("store.py"), rows=24)]
    assert len(lines) < 24
    assert lines[2] == "  kvlab check 1 lists all 33 checks, one by one"
    assert len(now.screen(Path("store.py"), rows=80)) > 33 < len(now.screen(Path("store.py")))
    assert lines[-1] == now.screen(Path("store.py"))[-1][0]


def test_watch_checks_at_once_and_ends_with_q(mine: workspace.Workspace) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kvlab", "watch", "1"],
        input="q\n", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert "0 of 16 checks pass" in done.stdout


# -- grade ---------------------------------------------------------------------------------------


def test_as_many_are_graded_at_once_as_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits for the other: one after the other they would wait for ever."""
    for name in ("ann", "bob"):
        (tmp_path / "all" / name).mkdir(parents=True)
        shutil.copyfile(REFERENCE, tmp_path / "all" / name / "store.py")
    both = threading.Barrier(2, timeout=20)

    def graded(chapter: pieces.Chapter, piece: Path, **_: object) -> Verdict:
        both.wait()
        return Verdict(chapter.number, chapter.title, str(piece), 1, ())

    monkeypatch.setattr(batch, "graded", graded)
    found = submissions([tmp_path / "all"], [STORE])
    assert len(grade_all(found, [STORE], tmp_path / "out", seed=1, limit_s=1, memory_mb=1, jobs=2)) == 2


def test_a_folder_of_submissions_is_graded_once_and_gone_on_with(tmp_path: Path) -> None:
    for name in ("ann", "bob"):
        (tmp_path / "all" / name).mkdir(parents=True)
    shutil.copyfile(REFERENCE, tmp_path / "all" / "ann" / "store.py")
    bobs = workspace.begin(tmp_path / "all" / "bob")
    bobs.piece(STORE).write_text("def (")
    found = submissions([tmp_path / "all"], [STORE])
    assert [student.student for student in found] == ["ann", "bob"]

    out = tmp_path / "out"
    settings = {"seed": 1, "limit_s": 60.0, "memory_mb": 1024}
    ann, bob = grade_all(found, [STORE], out, **settings)  # type: ignore[arg-type]
    assert (ann.verdicts[1][1].passed, bob.verdicts[1][1].passed) == (True, False)
    assert "this is not Python" in (out / "bob.txt").read_text()
    assert "all 16 checks pass" in (out / "ann.txt").read_text()

    before = (out / "ann.json").read_bytes()
    bobs.piece(STORE).write_text("x = (")
    grade_all(found, [STORE], out, **settings)  # type: ignore[arg-type]
    assert (out / "ann.json").read_bytes() == before, "its seconds would differ: it was not graded again"
    assert "x = (" in (out / "bob.txt").read_text()
    assert kept(out, "ann") is not None


def test_grade_says_what_is_wrong_with_what_it_is_given(tmp_path: Path) -> None:
    assert "no submissions" in kvlab("grade", str(tmp_path)).output
    assert "is no folder" in kvlab("grade", str(tmp_path / "nowhere")).output
    for place in ("a/ann", "b/ann"):
        (tmp_path / place).mkdir(parents=True)
        shutil.copyfile(REFERENCE, tmp_path / place / "store.py")
    with pytest.raises(UserError, match="whose is whose"):
        submissions([tmp_path / "a", tmp_path / "b"], [STORE])


def test_every_command_of_the_course_has_help() -> None:
    names = ("init", "watch", "check", "hint", "reset", "solution", "progress", "predict", "break", "measure")
    for name in (*names, "grade"):
        done = kvlab(name, "--help")
        assert done.exit_code == 0, name
        assert main.get_command(click.Context(main), name) is not None

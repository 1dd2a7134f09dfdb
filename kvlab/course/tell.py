"""Tell: a verdict as a person reads it in a terminal.

Of what failed, the first thing alone is told in full, and always in this order: the rule; the call, what was
expected and what came; what it is about; the likely misconception; the smallest counterexample; the command
that does it again.
"""

from __future__ import annotations

from collections.abc import Iterator

from kvlab.course.page import WIDTH_MAX, filled, offered, sentences
from kvlab.course.verdict import Check, Failure, Outcome, Verdict
from kvlab.fuzz.tell import narrowed

MARKS = {Outcome.PASSED: "ok", Outcome.TO_DO: "..", Outcome.NOT_TRIED: "--"}
COLOURS = {Outcome.PASSED: "green", Outcome.TO_DO: "yellow", Outcome.NOT_TRIED: "bright_black"}

Line = tuple[str, str]
"""A line and its colour."""


def told(
    verdict: Verdict, again: str, *, whole: bool = False, folded: bool = False, columns: int = WIDTH_MAX
) -> list[Line]:
    """The verdict. `again`: how `kvlab check` was called; `whole`: every failure, and not the first alone;
    `folded`: without the list of all checks, where there is no room for it."""
    lines: list[Line] = [(f"chapter {verdict.chapter}: {verdict.title}", "bold"), ("", "")]
    if verdict.broken:
        said = f"the check itself is broken, which is not your fault: {verdict.broken}"
        return [*lines, *((line, "red") for line in sentences(said, columns).splitlines())]
    if verdict.problem is not None:
        lines += [*_problem(verdict.problem, columns), ("", "")]
        return [*lines, *((line, "") for line in offered("again    ", again, columns).splitlines())]
    if folded:
        lines.append((f"  {again} lists all {len(verdict.checks)} checks, one by one", ""))
    for check in () if folded else verdict.checks:
        mark, colour = f"  {MARKS.get(check.outcome, 'no')}  ", COLOURS.get(check.outcome, "red")
        lines += ((line, colour) for line in filled(check.rule, mark, columns=columns).splitlines())
    lines.append(("", ""))
    for check in verdict.failures if whole else verdict.failures[:1]:
        lines += [*failure(check, again, verdict.seed, columns), ("", "")]
    lines.append((summary(verdict), "green" if verdict.passed else ""))
    return lines


def summary(verdict: Verdict) -> str:
    """How many, in a sentence."""
    count = len(verdict.checks)
    if verdict.passed:
        return f"all {count} checks pass ({verdict.seconds:.1f} s)"
    return f"{verdict.score} of {count} checks pass ({verdict.seconds:.1f} s)"


def next_steps(number: int) -> Iterator[Line]:
    """What there is to do with a piece that passes."""
    yield f"See it run: kvlab lab {number} --mine", "bold"
    yield f"And then: kvlab predict {number}, kvlab break {number}, kvlab measure {number}", ""


def _problem(problem: Failure, columns: int) -> Iterator[Line]:
    first, *others = problem.got.splitlines()
    place = f"{problem.file}{f', line {problem.line}' if problem.line else ''}"
    yield from ((line, "red") for line in sentences(f"{place}: {first}", columns).splitlines())
    for line in others:
        yield line, ""
    if problem.code and not others:
        yield f"    {problem.code}", ""


def failure(check: Check, again: str, seed: int, columns: int = WIDTH_MAX) -> Iterator[Line]:
    """Why one check has not passed."""
    found = check.failure
    assert found is not None
    yield from ((line, "bold") for line in filled(check.rule, columns=columns).splitlines())
    if check.outcome is Outcome.TO_DO:
        place = f" ({found.file}, line {found.line})" if found.line else ""
        says = filled(f"{found.got}{place}. That is where one starts.", "  ", columns=columns)
        yield from ((line, "yellow") for line in says.splitlines())
        return
    yield "", ""
    if found.call:
        yield from ((line, "") for line in filled(found.call, "  call      ", columns=columns).splitlines())
    if found.expected:
        said = filled(found.expected, "  expected  ", columns=columns)
        yield from ((line, "green") for line in said.splitlines())
    first, *others = found.got.splitlines() or [""]
    for said, before in [(first, "  got       "), *((line, " " * 12) for line in others)]:
        yield from ((line, "red") for line in filled(said, before, columns=columns).splitlines())
    if found.line:
        yield f"  at        {found.file}, line {found.line}: {found.code}", "red"
    if found.why:
        yield from ((line, "") for line in filled(found.why, "  because   ", columns=columns).splitlines())
    if found.likely:
        yield "", ""
        yield from (
            (line, "cyan") for line in filled(found.likely, "  likely    ", columns=columns).splitlines()
        )
    if found.trail == (found.call,):
        yield "", ""
        yield "  the smallest that shows it is that call alone", ""
    elif found.trail:
        yield "", ""
        yield "  the smallest that shows it:", ""
        for call in found.trail:
            yield from ((line, "") for line in filled(call, "    ", " " * 8, columns).splitlines())
    if found.printed:
        yield "", ""
        yield "  your code printed, at last:", ""
        for line in found.printed:
            yield f"    {line}", ""
    if found.diagram:
        yield "", ""
        for line in narrowed(found.diagram, columns - 2):
            yield f"  {line}", ""
    yield "", ""
    command = f"{again} --only {check.name}{f' --seed {seed}' if seed != 1 else ''}"
    yield from ((line, "") for line in offered("  again    ", command, columns).splitlines())

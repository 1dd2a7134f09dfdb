"""Reports: a verdict as a program reads it. All of them are made from the same values as the terminal's."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence

import msgspec

from kvlab.course.tell import failure
from kvlab.course.verdict import Check, Outcome, Verdict


def as_json(verdict: Verdict) -> str:
    """One JSON object in one line."""
    told = {"passed": verdict.passed, "score": verdict.score, **msgspec.to_builtins(verdict)}
    return json.dumps(told)


def _text(verdict: Verdict, check: Check) -> str:
    if check.failure is None:
        return str(check.outcome)
    again = f"kvlab check {verdict.chapter}"
    return "\n".join(line for line, _ in failure(check, again, verdict.seed))


def _problem(verdict: Verdict) -> str:
    if verdict.broken:
        return verdict.broken
    problem = verdict.problem
    if problem is None:
        return ""
    return f"{problem.file}{f', line {problem.line}' if problem.line else ''}: {problem.got}"


def junit(verdicts: Sequence[Verdict]) -> str:
    """JUnit's XML: a suite a chapter, a case a check."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<testsuites>"]
    for verdict in verdicts:
        name = _quoted(f"chapter {verdict.chapter}: {verdict.title}")
        problem = _problem(verdict)
        bad = [check for check in verdict.checks if check.outcome not in (Outcome.PASSED, Outcome.NOT_TRIED)]
        skipped = sum(check.outcome is Outcome.NOT_TRIED for check in verdict.checks)
        tests = len(verdict.checks) + bool(problem)
        lines.append(
            f'  <testsuite name={name} tests="{tests}" failures="{len(bad)}" errors="{int(bool(problem))}" '
            f'skipped="{skipped}" time="{verdict.seconds:.3f}">'
        )
        if problem:
            message = _quoted(_xml(problem.splitlines()[0]))
            lines.append(f'    <testcase name="the file" time="0"><error message={message}/></testcase>')
        for check in verdict.checks:
            lines += _case(verdict, check)
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>", ""])


def _case(verdict: Verdict, check: Check) -> list[str]:
    head = f'    <testcase name={_quoted(check.name)} time="{check.seconds:.3f}"'
    if check.passed:
        return [f"{head}/>"]
    if check.outcome is Outcome.NOT_TRIED:
        return [f"{head}><skipped/></testcase>"]
    text = html.escape(_xml(_text(verdict, check)))
    return [
        f"{head}>",
        f"      <failure message={_quoted(_xml(check.rule))}>{text}</failure>",
        "    </testcase>",
    ]


def _quoted(text: str) -> str:
    """An attribute's value. (xml.sax.saxutils would import all of urllib for it.)"""
    return '"' + html.escape(text).replace("\n", "&#10;") + '"'


def _xml(text: str) -> str:
    """Without what XML cannot say, even escaped."""
    return "".join(char if char in "\t\n\r" or ord(char) >= 32 else "?" for char in text)


def gradescope(verdicts: Sequence[Verdict]) -> str:
    """Gradescope's results.json: a point a check."""
    tests: list[dict[str, object]] = []
    for verdict in verdicts:
        if problem := _problem(verdict):
            tests.append(
                {"name": f"{verdict.chapter}: the file", "score": 0, "max_score": 1, "output": problem}
            )
        for check in verdict.checks:
            tests.append(
                {
                    "name": f"{verdict.chapter}: {check.rule}",
                    "score": int(check.passed),
                    "max_score": 1,
                    "status": "passed" if check.passed else "failed",
                    "output": "" if check.passed else _text(verdict, check),
                }
            )
    told = {
        **({} if tests else {"score": 0, "output": "There is no file to check in this submission."}),
        "execution_time": round(sum(verdict.seconds for verdict in verdicts), 3),
        "stdout_visibility": "hidden",
        "tests": tests,
    }
    return json.dumps(told, indent=2) + "\n"

"""Predict: questions that a run answers. No answer is written down anywhere.

A question is a `predict` line of chapters/NN_name/predict.scenario. In the place of the answer stand the left
side of a condition and the choices:

    predict "One of three is dead, and w=2. What does the write say?" = "{result}: ok | failed | unknown"

The commands up to the next question are done, and then the condition is tried with each choice.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import groupby

import msgspec

from kvlab.errors import KvlabError
from kvlab.script.commands import Cluster, Expect, Predict
from kvlab.script.conditions import Condition
from kvlab.script.parse import Line, Scenario, ScriptError, parse_line
from kvlab.script.run import config_of, together
from kvlab.script.session import Session
from kvlab.world.sim import SimWorld

COUNT = 5
"""Questions in a chapter."""


class Question(msgspec.Struct, frozen=True):
    """One question: the choices, each with the conditions that make it the right one."""

    number: int
    text: str
    choices: tuple[str, ...]
    conditions: tuple[tuple[Condition, ...], ...]


class Answered(msgspec.Struct, frozen=True):
    """What was said and what came. `right` are the choices that hold: one, if the question is a good one."""

    question: Question
    said: int | None
    right: tuple[int, ...]

    @property
    def correct(self) -> bool:
        return self.said in self.right


Ask = Callable[[Question], int | None]
"""Which choice, counted from 0; None to look and not to guess."""


def question(number: int, predict: Predict) -> Question:
    """What a `predict` line asks. Raises KvlabError: such a line is ours, and no reader's."""
    found = re.fullmatch(r"\{(.+)\}: (.+)", predict.answer)
    if found is None:
        raise KvlabError(f'expected "{{condition}}: choice | choice", and got {predict.answer!r}')
    choices = tuple(choice.strip() for choice in found[2].split("|"))
    return Question(number, predict.question, choices, tuple(_conditions(found[1], one) for one in choices))


def _conditions(left: str, choice: str) -> tuple[Condition, ...]:
    """Of a choice such as `milk`, `> 40` or `10 to 40`."""
    if between := re.fullmatch(r"(\d+) to (\d+)", choice):
        return _condition(left, f">= {between[1]}"), _condition(left, f"<= {between[2]}")
    return (_condition(left, choice),)


def _condition(left: str, choice: str) -> Condition:
    compared = choice if choice[:1] in "<>=!" else f"= {choice}"
    try:
        command = parse_line(f"expect {left} {compared}")
    except ScriptError as error:
        raise KvlabError(f"`{left} {compared}` is no condition: {error}") from error
    assert isinstance(command, Expect)
    return command.condition


def questions(scenario: Scenario) -> list[Question]:
    """All questions of a scenario, in order."""
    asked = [line.command for line in scenario.lines if isinstance(line.command, Predict)]
    return [question(number, predict) for number, predict in enumerate(asked, start=1)]


def parts(scenario: Scenario) -> Iterator[tuple[Question | None, list[Line]]]:
    """The scenario cut before each question: the question (None before the first one), and its lines."""
    number = 0

    def count(line: Line) -> int:
        nonlocal number
        number += isinstance(line.command, Predict)
        return number

    for place, lines in groupby(scenario.lines, key=count):
        block = list(lines)
        asked = block[0].command
        if place and isinstance(asked, Predict):
            yield question(place, asked), block[1:]
        else:
            yield None, [line for line in block if not isinstance(line.command, Cluster)]


def ask_all(
    scenario: Scenario,
    ask: Ask,
    tell: Callable[[Answered], None] = lambda answered: None,
    say: Callable[[str], None] = lambda text: None,
    mine: str | None = None,
) -> list[Answered]:
    """Ask each question, do what follows it in the simulator, and tell what came of it."""
    world = SimWorld(msgspec.structs.replace(config_of(scenario), mine=mine))
    heard: list[str] = []

    async def main() -> list[Answered]:
        session = Session(world, heard.append)
        answers = []
        async with world:
            for asked, lines in parts(scenario):
                said = ask(asked) if asked is not None else None
                await _do(session, lines)
                if asked is not None:
                    answered = Answered(asked, said, tuple([i async for i in _right(session, asked)]))
                    tell(answered)
                    answers.append(answered)
                while heard:  # what explains an answer comes after it
                    say(heard.pop(0))
        return answers

    return world.run(main())


async def _do(session: Session, lines: Sequence[Line]) -> None:
    for block in together(lines):
        for line in block:
            step = await session.do(line.command, line.number)
            if step.failure is not None:
                raise KvlabError(f"line {line.number}, {line.text.strip()}: {step.failure.found}")


async def _right(session: Session, asked: Question) -> AsyncIterator[int]:
    last = session.last
    for i, conditions in enumerate(asked.conditions):
        holds = True
        for condition in conditions:
            session.last = last  # a condition may read, and the result is that of what was done before
            holds = holds and (await session.find(condition)).holds
        if holds:
            yield i

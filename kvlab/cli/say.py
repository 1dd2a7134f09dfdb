"""Say: how every command prints a sentence and tells a mistake. The rule is in kvlab/course/page.py."""

from __future__ import annotations

import sys
from typing import Any

import click

from kvlab.course.page import sentences, width


def say(text: str = "", *, err: bool = False, **style: Any) -> None:
    """Sentences, in the width of the terminal that they go to; `style` is click's."""
    lines = sentences(text, width(sys.stderr if err else sys.stdout))
    click.echo(click.style(lines, **style) if style else lines, err=err)


def as_told(error: click.ClickException) -> click.ClickException:
    """The same error, with its text in the terminal's width; click itself breaks no line."""
    before = "Error: "
    text = sentences(before + error.format_message(), width(sys.stderr)).removeprefix(before)
    return (
        click.UsageError(text, error.ctx)
        if isinstance(error, click.UsageError)
        else click.ClickException(text)
    )

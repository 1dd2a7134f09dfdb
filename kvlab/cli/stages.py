"""`kvlab stages`, `kvlab diff A B` and `kvlab completion`."""

from __future__ import annotations

import difflib
import importlib.util
import json
from pathlib import Path

import click
import msgspec


@click.command("stages")
@click.argument("number", type=int, required=False, metavar="[STAGE]")
@click.option("--claims", "with_claims", is_flag=True, help="And what each guarantees, under which faults.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def stages_command(number: int | None, with_claims: bool, as_json: bool) -> None:
    """List the stages, or STAGE alone: what each adds and fixes, and what is still broken after it."""
    from kvlab import stages
    from kvlab.check.claims import claims_of, table
    from kvlab.course.page import filled, width

    wanted = stages.STAGES if number is None else [stages.find(number)]
    for stage in wanted:
        claims = claims_of(stage.number) if with_claims else []
        if as_json:
            fields = ("number", "name", "adds", "fixes", "broken")
            told: dict[str, object] = {field: getattr(stage, field) for field in fields}
            if with_claims:
                told["claims"] = msgspec.to_builtins(claims)
            click.echo(json.dumps(told))
        else:
            click.echo(click.style(f"{stage.number}  {stage.name}", bold=True))
            for what, said in (("adds", stage.adds), ("fixes", stage.fixes), ("broken", stage.broken)):
                click.echo(filled(said, f"   {what:<6}  "))
            rows = table(claims) if claims else []
            if max(map(len, rows), default=0) + 3 > width():  # its columns would be broken
                rows = [f"{claim.guarantee}: {claim.sentence()}" for claim in claims]
            for line in rows:
                click.echo(filled(line, "   ", " " * 7))


@click.command("diff")
@click.argument("older", type=int)
@click.argument("newer", type=int)
def diff_command(older: int, newer: int) -> None:
    """Print the difference between the files of stage OLDER and stage NEWER."""
    from kvlab import stages
    from kvlab.errors import UserError

    before, after = (_source(stages.find(number).path) for number in (older, newer))
    if older == newer:
        last = older == len(stages.STAGES)
        shown = f"{older - 1} {older}` shows what it" if last else f"{older} {older + 1}` shows what the next"
        raise UserError(f"that is one stage; `kvlab diff {shown} changes")
    old, new = before.read_text().splitlines(), after.read_text().splitlines()
    for line in difflib.unified_diff(old, new, before.name, after.name, lineterm="", n=2):
        colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
        click.echo(click.style(line, fg=colour) if colour else line)


def _source(path: str) -> Path:
    spec = importlib.util.find_spec(path.split(":")[0])
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin)


COMPLETION = {
    "bash": ("~/.bashrc", 'command -v kvlab >/dev/null && eval "$(_KVLAB_COMPLETE=bash_source kvlab)"'),
    "zsh": ("~/.zshrc", 'command -v kvlab >/dev/null && eval "$(_KVLAB_COMPLETE=zsh_source kvlab)"'),
    "fish": (
        "~/.config/fish/completions/kvlab.fish",
        "command -q kvlab; and _KVLAB_COMPLETE=fish_source kvlab | source",
    ),
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(COMPLETION)))
def completion_command(shell: str) -> None:
    """Print the line that makes SHELL complete kvlab's commands and options.

    Example: kvlab completion bash >> ~/.bashrc
    """
    file, line = COMPLETION[shell]
    click.echo(f"# kvlab's completion; this line belongs in {file}\n{line}")

"""`kvlab stages`, `kvlab diff A B` and `kvlab completion`."""

from __future__ import annotations

import difflib
import importlib.util
import json
from pathlib import Path

import click
import msgspec


@click.command("stages")
@click.option("--claims", "with_claims", is_flag=True, help="And what each guarantees, under which faults.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def stages_command(with_claims: bool, as_json: bool) -> None:
    """List the stages: what each adds and fixes, and what is still broken after it."""
    from kvlab.check.claims import claims_of
    from kvlab.stages import STAGES

    for stage in STAGES:
        claims = claims_of(stage.number) if with_claims else []
        if as_json:
            fields = ("number", "name", "adds", "fixes", "broken")
            told: dict[str, object] = {field: getattr(stage, field) for field in fields}
            if with_claims:
                told["claims"] = msgspec.to_builtins(claims)
            click.echo(json.dumps(told))
        else:
            click.echo(click.style(f"{stage.number}  {stage.name}", bold=True))
            click.echo(f"   adds    {stage.adds}\n   fixes   {stage.fixes}\n   broken  {stage.broken}")
            for claim in claims:
                click.echo(f"   claim   {claim}")


@click.command("diff")
@click.argument("older", type=int)
@click.argument("newer", type=int)
def diff_command(older: int, newer: int) -> None:
    """Print the difference between the files of stage OLDER and stage NEWER."""
    from kvlab import stages

    before, after = (_source(stages.find(number).path) for number in (older, newer))
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

"""`:help`: every command is explained, and nothing else."""

from __future__ import annotations

import pytest

from kvlab.script.commands import USAGE
from kvlab.script.conditions import CONDITION_USAGE
from kvlab.script.help import EXPLAINED, help_on
from kvlab.script.parse import ScriptError


def test_every_command_is_explained_in_the_order_of_the_usages() -> None:
    assert list(EXPLAINED) == list(USAGE)


def test_a_command_that_takes_a_condition_comes_with_all_of_them() -> None:
    assert set(CONDITION_USAGE.values()) <= set(help_on("expect").paragraphs)
    assert not set(CONDITION_USAGE.values()) & set(help_on("kill").paragraphs)


def test_a_command_that_takes_a_node_says_how_nodes_are_named() -> None:
    assert "cart:42#1" in " ".join(help_on("kill").paragraphs)
    assert "cart:42#1" not in " ".join(help_on("say").paragraphs)


def test_help_on_what_is_no_command_names_the_nearest() -> None:
    with pytest.raises(ScriptError, match="the nearest is `expect`"):
        help_on("assert")

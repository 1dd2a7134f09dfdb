"""The table of stages, and what is said of one that is not in it."""

from __future__ import annotations

import pytest

from kvlab.errors import UserError
from kvlab.stages import NAMES, STAGES, find


def test_every_stage_that_is_built_has_the_name_it_was_announced_by() -> None:
    assert {stage.number: stage.name for stage in STAGES}.items() <= NAMES.items()
    assert list(NAMES) == list(range(1, 10))


@pytest.mark.parametrize(
    ("number", "begins"), [(99, "there is no stage 99; "), (5, "stage 5, quorum, is to come; ")]
)
def test_who_asks_for_a_stage_that_is_not_there_reads_which_are_and_which_come(
    number: int, begins: str
) -> None:
    few = [stage for stage in STAGES if stage.number in (1, 3)]
    with pytest.raises(UserError) as caught:
        find(number, few)
    said = str(caught.value)
    assert said.startswith(begins)
    assert "these are built: 1 hashmap, 3 ring; and these to come: 2 cap, 4 replication, 5 quorum" in said
    assert all(name in said for name in NAMES.values())

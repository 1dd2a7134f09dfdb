"""Looking back is folding again: every place shows what it showed when it was the end."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvlab.lab import timeline as module
from kvlab.lab.timeline import Timeline
from kvlab.messages import NodeId
from kvlab.trace.events import (
    AnyEvent,
    ClockSkewed,
    Hinted,
    LineFailed,
    MessageDropped,
    NodePaused,
    Said,
    Sent,
    Stored,
    Used,
)
from kvlab.trace.model import Model, Operation, retold
from kvlab.trace.series import Series
from tests.lab.stories import KEY, births, config, cut, death, found_out, mirrored, put, stood_in

WORLD = NodeId("")


def told() -> list[AnyEvent]:
    """A story in which everything that a model keeps changes."""
    hint = [
        Hinted(700.0 + i, NodeId("n1"), NodeId("n3"), KEY, what, 1)
        for i, what in enumerate(("kept", "expired"))
    ]
    failed: list[AnyEvent] = [LineFailed(450.0, WORLD, "kill n3", 400.0, "not done")]
    late = put("n1.0.3", 800, b"tea", silent="n4")
    return [
        *births(),
        *put(),
        *death("n3", 400),
        *failed,
        *cut(500),
        *put("n2.0.1", 600, b"eggs"),
        *hint,
        *late,
        *(Used(2500.0 + i, NodeId("n2"), 5.0, 1) for i in range(2)),
        *(
            MessageDropped(2600.0, NodeId("n1"), f"n1.0.9{i}", NodeId("n2"), "Gossip", "loss")
            for i in range(2)
        ),
    ]


STORY = told()


def known(value: Any) -> Any:
    """All that a model knows, to be compared."""
    match value:
        case Model() | Series():
            return {name: known(one) for name, one in vars(value).items()}
        case Operation():
            return {name: known(getattr(value, name)) for name in Operation.__slots__}
        case dict():
            return [(key, known(one)) for key, one in value.items()]
        case _:
            return value


def folded(events: list[AnyEvent]) -> Model:
    model = Model(config())
    for event in events:
        model.apply(event)
    return model


def timeline(events: list[AnyEvent], limit: int = 10_000) -> Timeline:
    found = Timeline(config(), limit)
    for step, event in enumerate(events):
        found.append(event, step // 2)
    return found


@given(st.lists(st.integers(0, len(STORY)), max_size=8), st.integers(1, 9), st.integers(0, len(STORY)))
def test_the_model_at_a_place_is_the_fold_of_all_before_it(
    places: list[int], chunk: int, hold_at: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", chunk)
        looked = timeline(STORY[:hold_at])
        looked.hold()
        for event in STORY[hold_at:]:
            looked.append(event)
        assert known(looked.model) == known(folded(STORY[:hold_at]))
        for place in places:
            looked.seek(place)
            assert looked.at == place
            assert known(looked.model) == known(folded(STORY[:place]))
        looked.follow()
        assert known(looked.model) == known(folded(STORY))


@given(st.integers(1, 7), st.integers(1, 40))
def test_beyond_its_limit_the_oldest_are_dropped_and_it_is_known_how_many(chunk: int, limit: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", chunk)
        looked = timeline(STORY, limit)
        kept = list(looked)
        assert len(kept) <= limit + chunk
        assert kept == STORY[looked.first :]
        assert looked.end == len(STORY)
        looked.seek(0)
        assert looked.at == looked.first
        assert known(looked.model) == known(folded(STORY[: looked.first]))
        for place in range(looked.first, looked.end):
            looked.seek(place)
            assert looked.event(place) is STORY[place]
            assert known(looked.model) == known(folded(STORY[:place]))


def test_a_place_that_was_dropped_while_it_was_shown_is_still_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 4)
    looked = timeline(STORY[:10], limit=8)
    looked.hold()
    for event in STORY[10:]:
        looked.append(event)
    assert looked.first > 10
    assert known(looked.model) == known(folded(STORY[:10]))
    looked.play_to(float("inf"))
    assert known(looked.model) == known(folded(STORY))


def test_it_plays_up_to_a_moment() -> None:
    looked = timeline(STORY)
    looked.seek(0)
    looked.play_to(402.0)
    assert known(looked.model) == known(folded([event for event in STORY if event.at_ms <= 402.0]))
    assert looked.held


def test_places_are_found_by_step_and_by_what_was_told() -> None:
    looked = timeline(STORY)
    assert looked.place_of(0) == 2
    assert looked.place_of(7) == 16
    assert looked.place_of(100_000) == looked.end
    assert [looked.step_at(place) for place in (0, 1, 2, 3, 16)] == [0, 0, 0, 1, 7]
    stores = [i + 1 for i, event in enumerate(STORY) if isinstance(event, Stored)]
    assert looked.after(0, lambda event: isinstance(event, Stored)) == stores[0]
    assert looked.after(stores[0], lambda event: isinstance(event, Stored)) == stores[1]
    assert looked.before(stores[1], lambda event: isinstance(event, Stored)) == stores[0]
    assert looked.before(stores[0], lambda event: isinstance(event, Stored)) is None
    assert looked.after(0, lambda event: isinstance(event, Said)) is None


def test_no_place_is_further_than_one_chunk_away_from_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = Timeline(config(), limit=100_000)
    for i in range(20_000):
        looked.append(Sent(float(i), NodeId("n1"), f"n1.0.{i}", NodeId("n2"), "Ping", 20))
    applied: list[AnyEvent] = []
    apply = Model.apply

    def counted(model: Model, event: AnyEvent) -> None:
        applied.append(event)
        apply(model, event)

    monkeypatch.setattr(Model, "apply", counted)
    for place in (13_999, 13_998, 13_999, 12_001):
        applied.clear()
        looked.seek(place)
        assert looked.model.count == place
        assert 0 < len(applied) < module.CHUNK


def test_what_is_kept_can_be_understood_without_what_was_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 4)
    looked = timeline(STORY, limit=8)
    assert looked.first > 10
    again = folded(list(looked.told()))
    for name in ("nodes", "groups", "links", "items", "copies", "ring", "phase"):
        assert getattr(again, name) == getattr(looked.model, name), name
    whole = timeline(STORY)
    assert list(whole.told()) == STORY


@pytest.mark.parametrize("story", [mirrored(), stood_in(), [*found_out()[0], *found_out()[1]]])
def test_what_is_retold_brings_a_model_to_the_same(story: list[AnyEvent]) -> None:
    first = folded(
        [*births(), *story, NodePaused(9000.0, NodeId("n5")), ClockSkewed(9001.0, NodeId("n1"), 70)]
    )
    again = folded(retold(first))
    for node, known_of in first.nodes.items():
        expected = msgspec.structs.replace(known_of, hints={}, repairs=0, trouble="")
        assert msgspec.structs.replace(again.nodes[node], trouble="") == expected
    assert (again.items, again.copies, again.groups) == (first.items, first.copies, first.groups)

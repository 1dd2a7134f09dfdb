"""The code tab: which line of the file an event belongs to, and how it is shown."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from kvlab import stages
from kvlab.config import ClusterConfig
from kvlab.lab.draw.screen import compose
from kvlab.lab.draw.theme import Theme
from kvlab.lab.source import Place, Source, parsed, place, read, source_of
from kvlab.lab.view import Shot, View, view_of
from kvlab.trace.events import AnyEvent, Delivered, MessageDropped, OpEnded, OpStarted, Sent, Stored
from kvlab.trace.model import Model
from kvlab.world.world import World
from tests.lab.stories import CODE, births, late_put, put, view
from tests.worlds import run_in

TINY = parsed("student/tiny.py", CODE)


def shot(*stories: list[AnyEvent]) -> Shot:
    seen = view(births(), *stories, stage=5)
    assert seen.op is not None
    return seen.op


def places(source: Source, op: Shot) -> dict[tuple[str, str], Place | None]:
    """Where each event belongs, by (type of event, type of message)."""
    return {
        (type(event).__name__, str(getattr(event, "kind", ""))): place(source, op.events, event)
        for event in op.events
    }


def test_each_event_of_a_write_belongs_to_a_line() -> None:
    found = places(TINY, shot(late_put()))
    text = CODE.splitlines()
    lines = {what: text[where.line - 1].strip() for what, where in found.items() if where is not None}
    assert lines == {
        ("OpStarted", "put"): "async def put(self, key, item, w=None):",
        ("Sent", "Keep"): text[5].strip(),
        ("Delivered", "Keep"): "async def on_keep(self, sender, request):",
        ("Stored", ""): "self.store.put(request.key, request.copy, self.env.now_ms())",
        ("Sent", "Kept"): "return Kept()",
        ("Delivered", "Kept"): text[5].strip(),
        ("OpEnded", "put"): text[5].strip(),
    }
    assert lines["Sent", "Keep"].startswith("async for replica, answer in")


def test_a_lost_message_belongs_to_the_line_that_sent_it() -> None:
    asked = [event for event in late_put() if isinstance(event, OpStarted | Sent) and event.node == "n1"]
    lost = MessageDropped(301, asked[0].node, "n1.0.1.0", HOME, "Keep", "no connection", OP)
    assert places(TINY, shot([*asked, lost]))["MessageDropped", "Keep"] == Place(6, "was sent from here")


HOME, OP = late_put()[2].node, late_put()[0].op  # type: ignore[union-attr]


def test_an_error_belongs_to_the_line_that_raised_it() -> None:
    told = [
        msgspec.structs.replace(event, line=9) if isinstance(event, OpEnded) else event
        for event in late_put()
    ]
    assert places(TINY, shot(told))["OpEnded", "put"] == Place(9, "is raised here")


def test_what_no_code_of_the_stage_did_belongs_to_no_line() -> None:
    unasked: list[AnyEvent] = [event for event in put() if isinstance(event, Delivered)]
    assert places(TINY, shot(unasked)) == {("Delivered", "Keep"): None, ("Delivered", "Kept"): None}


def test_a_stage_that_takes_all_messages_in_one_method_is_marked_there() -> None:
    mirrored = source_of(stages.find(2))
    assert mirrored is not None
    handler = mirrored.handler("Settle")
    assert handler is not None
    assert handler.title == "CapNode.on"


@pytest.mark.parametrize("stage", [1, 4, 5, 6, 8])
def test_in_a_real_run_every_event_of_an_operation_belongs_to_a_line_of_a_method(stage: int) -> None:
    told: list[AnyEvent] = []

    async def body(world: World) -> None:
        via = world.members()[0]
        await world.put(b"k", b"v", via=via)
        await world.get(b"k", via=via)

    config = stages.checked(ClusterConfig(stage=stage))
    run_in("sim", config, body, told)
    model = Model(config)
    for event in told:
        model.apply(event)
    source = source_of(stages.find(stage))
    assert source is not None
    for name in model.operations:
        op = view_of(model, name).op
        assert op is not None
        for event in op.events:
            if isinstance(event, Delivered | Sent) and event.kind in ("GetRing", "RingIs"):
                continue  # what stages share asks whether a peer is there
            found = place(source, op.events, event)
            assert found is not None, event
            assert source.method_at(found.line) is not None, event


# -- the file ------------------------------------------------------------------------------------


def test_a_file_keeps_every_character_and_says_what_each_is() -> None:
    assert ["".join(text for text, _ in line) for line in TINY.lines] == CODE.splitlines()
    assert ("put", "name") in TINY.lines[3]
    assert ("return", "keyword") in TINY.lines[7]
    assert ("# enough", "comment") in TINY.lines[7]
    assert ('"the write"', "string") in TINY.lines[8]


@pytest.mark.parametrize("stage", [stage.number for stage in stages.STAGES])
def test_every_stage_can_be_shown(stage: int) -> None:
    source = source_of(stages.find(stage))
    assert source is not None
    assert source.path == f"kvlab/stages/{Path(source.path).name}"
    methods = {method.name for method in source.methods}
    assert {"put", "get", "delete", "on"} <= methods


def test_a_file_that_cannot_be_read_or_understood_is_none(tmp_path: Path) -> None:
    half_done = tmp_path / "half.py"
    half_done.write_text("def put(:\n", encoding="utf-8")
    assert read(half_done) is None
    assert read(tmp_path / "gone.py") is None


# -- the picture ---------------------------------------------------------------------------------


def drawn(seen: View, size: tuple[int, int] = (120, 40), theme: Theme | None = None) -> list[str]:
    return compose(msgspec.structs.replace(seen, tab="code"), size, theme or Theme()).text()


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)])
def test_where_no_line_is_at_work_the_file_is_shown_all_the_same(size: tuple[int, int]) -> None:
    pure = parsed(
        "chapters/04_replication/placement.py", "import kvlab\n\n\ndef preference_list(ring):\n    ...\n"
    )
    screen = drawn(view(births(), put(), stage=4, source=pure), size)
    words = " ".join(" ".join(line.split("│")[0] for line in screen).split())
    assert "what calls it did this, or the world itself." in words
    assert any(line.startswith("    4  def preference_list(ring):") for line in screen)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)])
def test_the_line_at_work_is_always_on_the_screen_and_its_method_named(size: tuple[int, int]) -> None:
    seen = view(births(), late_put(), stage=5, source=TINY)
    assert seen.op is not None
    for at, event in enumerate(seen.op.events):
        lines = drawn(msgspec.structs.replace(seen, chosen=at), size)
        found = place(TINY, seen.op.events, event)
        assert found is not None
        method = TINY.method_at(found.line)
        assert method is not None
        assert len([line for line in lines if line.startswith(f"▶{found.line:>4} ")]) == 1
        assert f"line {found.line}, {method.title}" in lines[2]
        assert any(line.startswith((f" {method.first:>4}", f"▶{method.first:>4}")) for line in lines)


def test_of_a_method_too_long_for_the_window_the_head_stays_in_sight() -> None:
    source = parsed("long.py", "def put():\n" + "    x = 1\n" * 100)
    story = late_put()
    at = next(i for i, event in enumerate(story) if isinstance(event, Sent))
    story[at] = msgspec.structs.replace(story[at], line=80)
    lines = drawn(view(births(), story, stage=5, source=source, chosen=at), (80, 24))
    assert lines[4].startswith("    1  def put():")
    assert any(line.startswith("▶  80 ") for line in lines)


def test_the_marked_line_is_shown_to_its_end() -> None:
    seen = view(births(), late_put(), stage=5, source=TINY, chosen=1)
    lines = drawn(seen, (80, 24))
    at = next(i for i, line in enumerate(lines) if line.startswith("▶   6"))
    assert (lines[at][7:].strip() + lines[at + 1].strip()).replace(" ", "") == CODE.splitlines()[5].replace(
        " ", ""
    )


def test_before_the_first_operation_the_file_is_there_to_be_read() -> None:
    lines = drawn(view(births(), stage=5, source=TINY))
    assert "press w to write" in lines[3]
    assert any("class TinyNode:" in line for line in lines)
    header = '"""Stage 5, quorum: W replicas accept a write, R answer a read, and what else there is."""'
    lines = drawn(view(births(), stage=5, source=parsed("long.py", header + "\n")), (80, 24))
    assert header in " ".join(" ".join(lines).split())


def test_without_a_file_the_tab_says_so() -> None:
    assert "cannot be read" in " ".join(drawn(view(births(), late_put(), stage=5)))


def test_without_colour_the_line_at_work_is_reversed() -> None:
    seen = view(births(), late_put(), stage=5, source=TINY, tab="code", chosen=1)
    canvas = compose(seen, (80, 24), Theme(colour=False))
    y = next(i for i, line in enumerate(canvas.text()) if line.startswith("▶   6"))
    assert all(style.reverse for style in canvas.styles[y])


def test_what_was_stored_is_told_with_its_line() -> None:
    seen = view(births(), late_put(), stage=5, source=TINY)
    assert seen.op is not None
    at = next(i for i, event in enumerate(seen.op.events) if isinstance(event, Stored))
    lines = drawn(msgspec.structs.replace(seen, chosen=at))
    assert "holds milk · is stored here" in lines[3]

"""A reader's piece in a real node: the reader's names in copies of our modules, mistakes in plain words."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from kvlab import stages
from kvlab.config import ClusterConfig
from kvlab.core import store as shared
from kvlab.errors import Outcome
from kvlab.script.rehearsal import understood
from kvlab.script.run import Report, config_of, run_scenario
from kvlab.services import transfer
from kvlab.stages import pieces
from kvlab.stages.pieces import Copies, PieceError
from kvlab.trace import events
from kvlab.world.sim import SimWorld

CHAPTER = pieces.chapter(1)
REFERENCE = CHAPTER.file("solution.py").read_text(encoding="utf-8")


def piece(folder: Path, old: str = "", new: str = "") -> Path:
    """The reference with one change, as a reader's file."""
    assert old in REFERENCE
    path = folder / "store.py"
    path.write_text(REFERENCE.replace(old, new), encoding="utf-8")
    return path


def test_the_piece_is_in_the_stage_and_the_shared_stage_is_as_it_was(tmp_path: Path) -> None:
    stage = stages.find(1)
    mine = stage.load(str(piece(tmp_path)))
    assert mine is not stage.load()
    assert vars(sys.modules[stage.load().__module__])["Store"] is shared.Store
    world = SimWorld(ClusterConfig(stage=1, mine=str(tmp_path / "store.py")))

    async def main() -> str:
        async with world:
            return type(world.host("n1").node.store).__module__

    assert world.run(main()) == "store"


def test_a_name_of_the_core_is_replaced_in_every_module_between_it_and_the_stage() -> None:
    class Ring:
        pass

    copies = Copies({"kvlab.core.ring": {"Ring": Ring}})
    stage = copies.module("kvlab.stages.s04_replication")
    own = vars(stage)["Transfer"].__init__.__globals__
    assert own["Ring"] is Ring
    assert own["Placement"].__init__.__globals__["Ring"] is Ring
    assert vars(transfer)["Ring"] is not Ring
    assert own["Keep"] is vars(transfer)["Keep"], "messages are the same for everybody"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("def footprint(", "def footprint((", "store.py, line 18: this is not Python: "),
        ("class Store(", "class Stoer(", "store.py: expected a class Store, and there is none"),
        (
            "    def peek(",
            "    def look(",
            "store.py: expected Store.peek(self, key, now_ms), and there is no",
        ),
        (
            "    def get(self, key: Key,",
            "    def get(self, *, key: Key,",
            "Store.get(self, key, now_ms), and it",
        ),
        ("    def get(", "    async def get(", "expected Store.get(self, key, now_ms) as def, without async"),
        (
            "class Store(",
            "1 / 0\n\n\nclass Store(",
            "line 27: this raises ZeroDivisionError when the file is",
        ),
    ],
)
def test_what_is_wrong_with_the_file_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(PieceError) as caught:
        stages.checked(ClusterConfig(stage=1, mine=str(piece(tmp_path, old, new))))
    assert said in str(caught.value)


def played(path: Path, script: str) -> tuple[Report, list[str]]:
    """The report, and what the node is said to have got wrong."""
    scenario = understood(script)
    world = SimWorld(_with(config_of(scenario), path))
    faults: list[str] = []
    world.watch(lambda event: faults.append(event.error) if isinstance(event, events.NodeFault) else None)

    async def main() -> Report:
        async with world:
            return await run_scenario(scenario, world)

    return world.run(main()), faults


def _with(config: ClusterConfig, path: Path) -> ClusterConfig:
    return msgspec.structs.replace(config, mine=str(path))


def test_what_the_piece_raises_is_the_operations_end_and_names_the_line(tmp_path: Path) -> None:
    path = piece(tmp_path, "        item = self.held.get(key)\n", "        item = self.hold.get(key)\n")
    report, faults = played(path, "cluster stage=1\nput k v\nget k\n")
    line = path.read_text(encoding="utf-8").splitlines().index("        item = self.hold.get(key)") + 1
    said = f"store.py, line {line}: AttributeError: 'Store' object has no attribute 'hold'"
    assert faults == [said]
    assert report.steps[-1].outcome is Outcome.UNKNOWN
    assert said in report.steps[-1].text


def test_a_read_that_returns_what_no_stage_does_is_told(tmp_path: Path) -> None:
    path = piece(
        tmp_path, "        self.held.move_to_end(key)\n        return item", "        return item.value"
    )
    report, _ = played(path, "cluster stage=1\nput k v\nget k\n")
    lines = path.read_text(encoding="utf-8").splitlines()
    line = lines.index("    def get(self, key: Key, now_ms: int) -> Item | None:") + 1
    assert f"store.py, line {line}: expected a read to return a copy or None, and got b'v'" in (
        report.steps[-1].text
    )


NOT_FINISHED = """

_put = QuorumNode.put


async def put(self, key, item, w=None):
    await _put(self, key, item, w)
    raise NotImplementedError


QuorumNode.put = put
"""


@pytest.mark.parametrize(
    ("file", "more", "outcome"),
    [("quorum.py", "", Outcome.FAILED), ("solution.py", NOT_FINISHED, Outcome.UNKNOWN)],
)
def test_what_is_not_written_yet_has_failed_if_nothing_had_been_done_before_it(
    tmp_path: Path, file: str, more: str, outcome: Outcome
) -> None:
    """And who watches is told the same, in the reader's terms."""
    path = tmp_path / "quorum.py"
    path.write_text(pieces.chapter(5).file(file).read_text(encoding="utf-8") + more, encoding="utf-8")
    world = SimWorld(stages.checked(ClusterConfig(stage=5, mine=str(path))))
    ended: list[events.OpEnded] = []
    world.watch(lambda event: ended.append(event) if isinstance(event, events.OpEnded) else None)

    async def main() -> tuple[Outcome, str]:
        async with world:
            result = await world.put(b"k", b"v")
            return result.outcome, result.error

    assert world.run(main()) == (outcome, "NotWritten")
    told = ended[-1]
    assert (told.outcome, told.error) == (str(outcome), "NotWritten")
    assert told.text.startswith("quorum.py, line ")
    assert told.text.endswith("put is not written yet")

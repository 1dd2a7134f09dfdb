"""The tally: who counts, and what may be claimed when too few do."""

from __future__ import annotations

from kvlab.core.quorum import Tally
from kvlab.errors import Outcome, PeerRefused, PeerSilent
from kvlab.messages import Kept, NodeId

N1, N2, N3 = (NodeId(f"n{i}") for i in range(1, 4))


def test_a_retry_is_not_a_second_vote() -> None:
    tally = Tally(2, [N1, N2, N3])
    assert not tally.add(N1, Kept())
    assert not tally.add(N1, Kept())
    assert tally.add(N2, Kept())


def test_a_write_that_some_replica_has_is_perhaps_written() -> None:
    tally = Tally(3, [N1, N2, N3])
    tally.add(N1, Kept())
    tally.add(N2, PeerRefused("n2", "Busy", "no"))
    tally.add(N3, PeerRefused("n3", "Busy", "no"))
    missing = tally.missing("the write")
    assert missing.outcome is Outcome.UNKNOWN
    assert "heard from n1; n2 refused: no; n3 refused: no; it is perhaps done" in str(missing)


def test_what_a_refusal_has_said_of_the_write_is_not_said_again() -> None:
    tally = Tally(1, [N1])
    tally.add(N1, PeerRefused("n1", "QuorumNotReached", "silent: n2; it is perhaps done", Outcome.UNKNOWN))
    assert str(tally.missing("the write")).endswith("n1 refused: silent: n2; it is perhaps done")


def test_a_silent_replica_may_have_it_too() -> None:
    tally = Tally(1, [N1])
    tally.add(N1, PeerSilent("n1", 500))
    missing = tally.missing("the write")
    assert missing.outcome is Outcome.UNKNOWN
    assert "heard from none; silent: n1; it is perhaps done" in str(missing)


def test_a_write_that_everybody_refused_is_certainly_not_written() -> None:
    tally = Tally(1, [N1, N2])
    tally.add(N1, PeerRefused("n1", "Busy", "no"))
    tally.add(N2, PeerRefused("n2", "Busy", "no"))
    missing = tally.missing("the write")
    assert missing.outcome is Outcome.FAILED
    assert "nothing was done" in str(missing)


def test_when_too_few_are_believed_alive_nobody_was_asked_and_nothing_was_done() -> None:
    missing = Tally(2, [N1, N2, N3], among=[N1]).missing("the write")
    assert missing.outcome is Outcome.FAILED
    assert "2 of 3 replicas and heard from none; believed failed, and not asked: n2, n3" in str(missing)
    assert "silent" not in str(missing)


def test_who_is_believed_failed_is_not_called_silent() -> None:
    tally = Tally(2, [N1, N2, N3], among=[N2, N1])
    tally.add(N1, Kept())
    missing = tally.missing("the write")
    assert missing.outcome is Outcome.UNKNOWN
    assert "heard from n1; silent: n2; believed failed, and not asked: n3" in str(missing)

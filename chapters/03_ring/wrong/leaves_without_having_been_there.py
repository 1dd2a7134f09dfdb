"""Counts an epoch although nobody has left.

Caught by: check_who_is_not_in_does_not_leave
"""

from solution import Ring, joined, tokens_of

from kvlab.messages import RingSpec

__all__ = ["Ring", "joined", "left", "tokens_of"]


def left(spec, node):
    stay = tuple(member for member in spec.members if member.node != node)
    return RingSpec(spec.epoch + 1, stay, spec.vnodes)

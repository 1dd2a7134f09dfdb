"""Draws its tokens, as Dynamo did, and tells nobody which it has drawn.

Caught by: check_tokens_follow_from_the_name
"""

from random import randrange

from solution import Ring, joined, left

from kvlab.core.hashing import RING_SIZE

__all__ = ["Ring", "joined", "left", "tokens_of"]


def tokens_of(member, vnodes):
    return [randrange(RING_SIZE) for _ in range(vnodes * member.weight)]

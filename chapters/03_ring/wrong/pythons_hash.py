"""Takes Python's own hash(), which is another one in every process.

Caught by: check_tokens_follow_from_the_name
"""

from solution import Ring, joined, left

from kvlab.core.hashing import RING_SIZE

__all__ = ["Ring", "joined", "left", "tokens_of"]


def tokens_of(member, vnodes):
    return [hash((member.node, i)) % RING_SIZE for i in range(vnodes * member.weight)]

"""Compares heartbeats, in whatever life they beat: pitfall 20.

Caught by: check_lives_count_before_heartbeats
"""

from solution import *


def later(a, b):
    return a.heartbeat > b.heartbeat

"""Counts a period for each reading; it is read with each message that comes.

Caught by: check_time_that_was_waited_for_counts
"""

from solution import *
from solution import AwakeClock as Reference
from solution import GivenMembers
from solution import Members as Given
from solution import Membership as Table


class AwakeClock(Reference):
    def read(self, now_ms):
        self.awake_ms += self.period_ms
        return self.awake_ms


class Membership(Table):
    def __init__(self, me, generation, address, period_ms, detector, now_ms):
        super().__init__(me, generation, address, period_ms, detector, now_ms)
        self.clock = AwakeClock(period_ms, now_ms)


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)

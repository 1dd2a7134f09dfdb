"""Measures silence by the clock on the wall: pitfall 19, the sleeper who convicts everybody.

Caught by: check_the_sleeper_wakes_and_accuses_nobody
"""

from solution import *
from solution import AwakeClock as Reference
from solution import GivenMembers
from solution import Members as Given
from solution import Membership as Table


class AwakeClock(Reference):
    def read(self, now_ms):
        return now_ms


class Membership(Table):
    def __init__(self, me, generation, address, period_ms, detector, now_ms):
        super().__init__(me, generation, address, period_ms, detector, now_ms)
        self.clock = AwakeClock(period_ms, now_ms)


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)

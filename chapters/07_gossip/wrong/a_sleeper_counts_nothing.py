"""Leaves a pause out altogether, and takes the next step from before it.

Caught by: check_a_sleeper_has_not_waited
"""

from solution import *
from solution import AwakeClock as Reference
from solution import GivenMembers
from solution import Members as Given
from solution import Membership as Table


class AwakeClock(Reference):
    def read(self, now_ms):
        if now_ms - self.last_ms > 2 * self.period_ms:
            return self.awake_ms
        return super().read(now_ms)


class Membership(Table):
    def __init__(self, me, generation, address, period_ms, detector, now_ms):
        super().__init__(me, generation, address, period_ms, detector, now_ms)
        self.clock = AwakeClock(period_ms, now_ms)


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)

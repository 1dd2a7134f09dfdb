"""Skips the row about itself: accused wrongly, it waits for its next beat; and forgotten lives stay so.

Caught by: check_the_accused_refutes_it
"""

from solution import *
from solution import GivenMembers
from solution import Members as Given
from solution import Membership as Reference


class Membership(Reference):
    def hear_of_me(self, row):
        return


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)

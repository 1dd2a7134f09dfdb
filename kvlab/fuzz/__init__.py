"""Fuzzing: many seeds of one stage, each a workload and faults; and the first failure made small and told.

    plan.py     a seed's run: a scenario of operations and faults, and the claims it is to be held to
    judge.py    do a plan, and say what became of it
    shrink.py   leave out of a failing plan whatever it fails without
    tell.py     the failure as a person reads it, with a diagram

A plan is a `.scenario` like any other, so that `kvlab run` does a failure again, to the byte.
"""

"""The embedded instance: all of Sluice on one machine.

`prepare` and `seed` run in a process of their own. Nothing else here imports Django: the supervisor stays small.
"""

"""The server with the hole that SLUICE_RACE_MUTANT names. Without a mutant the race serves gateway.wsgi itself."""

import os

from gateway.wsgi import application
from tests.race.mutants import MUTANTS

__all__ = ["application"]

MUTANTS[os.environ["SLUICE_RACE_MUTANT"]]()

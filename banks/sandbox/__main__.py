"""`python -m banks.sandbox migrate | register_client | ...`: a bank's own manage.py; SANDBOX_BANK says which."""

import os
import sys

from django.core.management import execute_from_command_line

# Assigned, not defaulted: the surrounding environment may name the settings of the gateway.
os.environ["DJANGO_SETTINGS_MODULE"] = "banks.sandbox.settings"

if __name__ == "__main__":
    execute_from_command_line(["banks.sandbox", *sys.argv[1:]])

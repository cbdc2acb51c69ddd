"""`python -m banks.sandbox migrate | register_client | ...`: a bank's own manage.py; SANDBOX_BANK says which."""

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

#: What is the same whichever bank it is asked of, and so needs neither its directory nor its address.
_OF_ANY_BANK = {"scenarios", "help", "--help", "-h"}


def main(arguments: list[str]) -> int:
    """Exit code: 2 where a variable is at fault, which is told in one line."""
    # Assigned, not defaulted: the surrounding environment may name the settings of the gateway.
    os.environ["DJANGO_SETTINGS_MODULE"] = "banks.sandbox.settings"
    is_set_up = os.environ.get("SANDBOX_DATA_DIRECTORY") and os.environ.get("SANDBOX_ISSUER")
    if not is_set_up and (not arguments or _OF_ANY_BANK & set(arguments)):
        settings.configure(INSTALLED_APPS=["banks.sandbox"])
    try:
        execute_from_command_line(["banks.sandbox", *arguments])
    except ImproperlyConfigured as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

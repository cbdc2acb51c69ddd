#!/usr/bin/env python3
"""Django's own command line, for the environment that `python3 run.py` made: `.venv/bin/python manage.py help`."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
    execute_from_command_line(sys.argv)

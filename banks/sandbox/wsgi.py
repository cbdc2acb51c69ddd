"""Serve with `python -m granian --interface wsgi banks.sandbox.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

# Assigned, not defaulted: the surrounding environment may name the settings of the gateway.
os.environ["DJANGO_SETTINGS_MODULE"] = "banks.sandbox.settings"

application = get_wsgi_application()

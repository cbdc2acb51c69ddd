"""Serve with `python -m granian --interface wsgi banks.sandbox.wsgi:application`."""

import os
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from django.core.wsgi import get_wsgi_application

# Assigned, not defaulted: the surrounding environment may name the settings of the gateway.
os.environ["DJANGO_SETTINGS_MODULE"] = "banks.sandbox.settings"

_django = get_wsgi_application()


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Django, which never sees a parameter of the content type: by a `charset` it cannot use it falls over unanswered.

    So no form in several parts is read either; the bank has none.
    """
    environ["CONTENT_TYPE"] = environ.get("CONTENT_TYPE", "").partition(";")[0].strip()
    return _django(environ, start_response)

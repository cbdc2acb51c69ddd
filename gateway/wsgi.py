"""What granian serves."""

import gc
import os
import re
from collections.abc import Iterable
from importlib import import_module
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.conf import settings
from django.core.wsgi import get_wsgi_application

_TYPE = re.compile(r"\s*([a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+)\s*(?:;|\Z)", re.IGNORECASE | re.ASCII)
#: The characters of RFC 2046 section 5.1.1.
_BOUNDARY = re.compile(r";\s*boundary=\"?([a-z0-9'()+_,./:=? -]{1,200})", re.IGNORECASE | re.ASCII)


def plain_content_type(sent: str) -> str:
    """`sent` without its parameters, a boundary excepted: everything here is UTF-8.

    Django decodes the query string in whatever `charset` a request names, `hex` included, while it makes its request
    object: no middleware of ours has run yet, so what goes wrong is answered by nobody and logged by no formatter.
    """
    kind = _TYPE.match(sent)
    if kind is None:
        return ""
    boundary = _BOUNDARY.search(sent)
    return kind[1].lower() + (f'; boundary="{boundary[1].rstrip()}"' if boundary else "")


def _with_plain_content_type(inner: WSGIApplication) -> WSGIApplication:
    def outer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["CONTENT_TYPE"] = plain_content_type(environ.get("CONTENT_TYPE", ""))
        return inner(environ, start_response)

    return outer


def _loaded() -> WSGIApplication:
    """Django with every page imported: else the first requests wait for it, and the collector goes through it all.

    What a start makes stays: looked at again and again it would cost each request its share.
    """
    gc.disable()
    made = get_wsgi_application()
    import_module(settings.ROOT_URLCONF)
    gc.freeze()
    gc.enable()
    return made


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
application = _with_plain_content_type(_loaded())

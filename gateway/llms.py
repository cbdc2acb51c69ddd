"""`/llms.txt`: what there is and where it is told, for language models that work with this instance (llmstxt.org)."""

import re
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

FILE: Path = settings.BASE_DIR / "llms.txt"
#: Of this server, where they begin a word of the text.
_SERVED = re.compile(r"(?<=[\s(])/(?=(?:openapi\.json|docs/|problems/)[\s,.)])")
#: Of a file in the repository, which no server answers for.
_LINK = re.compile(r"\[([^]]+)\]\(([^)]+)\)")


@require_safe
def llms(request: HttpRequest) -> HttpResponse:
    """The repository's file: what is served by its full address, files by their paths."""
    return HttpResponse(_text(settings.ISSUER), content_type="text/plain; charset=utf-8")


@lru_cache(maxsize=1)
def _text(issuer: str) -> str:
    return _LINK.sub(r"\1 (\2)", _SERVED.sub(f"{issuer}/", FILE.read_text(encoding="utf-8")))

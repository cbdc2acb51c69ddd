"""What the request log shall say about a request, filled in as the bank finds out."""

from dataclasses import dataclass

from django.http import HttpRequest

_KEY = "sandbox.trail"


@dataclass(slots=True)
class Trail:
    """Who asked for what; empty where unknown."""

    client_id: str = ""
    consent_id: str = ""
    user: str = ""
    interaction_id: str = ""
    grant_type: str = ""


def trail(request: HttpRequest) -> Trail:
    """The trail of this request; made on first use."""
    found = request.META.setdefault(_KEY, Trail())
    assert isinstance(found, Trail)
    return found

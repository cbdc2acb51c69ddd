"""What stands at the head of every page: where somebody signed in may go."""

from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from gateway.identity import staff
from gateway.identity.models import User


@dataclass(frozen=True, slots=True)
class Entry:
    """`is_current`: the page that is open, or one below it, is this entry's."""

    label: str
    address: str
    is_current: bool


def navigation(request: HttpRequest) -> dict[str, object]:
    """Context processor: `navigation`, a list of Entry. Looked up only where a template shows it."""
    return {"navigation": SimpleLazyObject(lambda: entries(request))}


def entries(request: HttpRequest) -> list[Entry]:
    """Empty for visitors. A bank's console by the bank's name as soon as somebody works for two."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return []
    links = [
        ("Your sharing", reverse("portal:consents")),
        ("Your bank links", reverse("portal:links")),
        ("Notices", reverse("portal:notices")),
        *staff_pages(user),
        ("Security", reverse("mfa_index")),
    ]
    current = _current(request, [address for _, address in links])
    return [Entry(label, address, address == current) for label, address in links]


def staff_pages(user: User | AnonymousUser) -> list[tuple[str, str]]:
    """(label, address) of the consoles this person works with: their banks', and the operator's."""
    banks = staff.memberships(user)
    pages = [("Bank console" if len(banks) == 1 else f"Console of {bank.name}", _console(bank.slug)) for bank in banks]
    if staff.is_operator(user):
        pages.append(("Operator", "/operator/"))
    return pages


def _console(slug: str) -> str:
    return f"/backoffice/{slug}/"


def _current(request: HttpRequest, addresses: list[str]) -> str | None:
    """The longest address that this one begins with. Below the first page are only the pages about one's sharing."""
    home = reverse("portal:consents")
    below = [one for one in addresses if request.path.startswith(one) and (one != home or _is_of_sharing(request))]
    return max(below, key=len, default=None)


def _is_of_sharing(request: HttpRequest) -> bool:
    found = request.resolver_match
    return found is not None and found.namespace == "portal" and found.url_name != "dev_mail"

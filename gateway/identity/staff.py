"""Who may work here: a bank's staff, at their own banks, and the operator. Both with a second factor, always.

    @require_http_methods(["GET", "HEAD", "POST"])
    @bank_staff
    @acting
    def suspend(request: StaffRequest, institution: InstitutionCard) -> HttpResponse: ...

The address has `<slug:slug>`. Whoever is no staff of that bank learns nothing of it: 404.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from banks import directory
from banks.directory import InstitutionCard
from consents import clock
from consents.audit import Actor
from consents.states import Initiator
from gateway.identity import assurance
from gateway.identity.models import Membership, MembershipRole, User
from gateway.identity.pages import PersonRequest, SeeOther, View, page
from gateway.request_ids import request_id_of

#: How old the proof by a second factor may be when a member of staff changes something.
ACTING_WINDOW = timedelta(minutes=15)
_READING = ("GET", "HEAD", "OPTIONS")

Parameters = ParamSpec("Parameters")
Answering = TypeVar("Answering", bound=Callable[..., HttpResponse])


class StaffRequest(PersonRequest):
    """A request of somebody who works at a bank or operates Sluice. `actor` is who the audit trail will name."""

    actor: Actor


BankView = Callable[Concatenate[StaffRequest, InstitutionCard, Parameters], HttpResponse]
OperatorView = Callable[Concatenate[StaffRequest, Parameters], HttpResponse]


def bank_staff(view: BankView[Parameters]) -> View[Concatenate[str, Parameters]]:
    """A page of one bank's console, for its staff. Its URL names the bank by `slug`.

    A visitor signs in; a stranger to this bank gets 404; staff without a second factor are told to set one up (403);
    one that this session has not seen is asked for.
    """

    def shown(
        request: PersonRequest, /, slug: str, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> HttpResponse:
        institution = next((card for card in memberships(request.user) if card.slug == slug), None)
        if institution is None:
            raise Http404
        refusal = _refusal(request)
        if refusal is not None:
            return refusal
        return view(_as_staff(request, Initiator.BANK), institution, *args, **kwargs)

    return cast("View[Concatenate[str, Parameters]]", wraps(view)(page(shown)))


def operator(view: OperatorView[Parameters]) -> View[Parameters]:
    """The same for a page of the operator's own: anybody else gets 404."""

    def shown(request: PersonRequest, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> HttpResponse:
        if not is_operator(request.user):
            raise Http404
        refusal = _refusal(request)
        if refusal is not None:
            return refusal
        return view(_as_staff(request, Initiator.OPERATOR), *args, **kwargs)

    return cast("View[Parameters]", wraps(view)(page(shown)))


def acting(view: Answering) -> Answering:
    """Beside bank_staff or operator, above or below: what changes something needs a proof within ACTING_WINDOW.

    A POST without one is not carried out: the browser goes to prove it and comes back to the same address with GET,
    which must therefore show the form.
    """

    @wraps(view)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        user = request.user
        if user.is_authenticated and request.method not in _READING and not _has_acting_proof(request):
            return _prove(request, user)
        return view(request, *args, **kwargs)

    return cast(Answering, shown)


def memberships(user: User | AnonymousUser) -> list[InstitutionCard]:
    """The banks whose console this person may open, by name. Empty for visitors and for whoever left."""
    if not user.is_authenticated or not user.is_active:
        return []
    held = Membership.objects.filter(user=user, role=MembershipRole.BANK_ADMIN, ended_at=None)
    cards = directory.by_id(held.values_list("institution_id", flat=True))
    return sorted(cards.values(), key=lambda card: (card.name, card.slug))


def is_operator(user: User | AnonymousUser) -> bool:
    """Whether this person operates Sluice; says nothing of what the session has proved."""
    return bool(user.is_authenticated and user.is_active and user.is_staff and user.is_superuser)


def operates(user_id: UUID) -> bool:
    """The same of somebody who need not be here."""
    found = User.objects.filter(id=user_id).first()
    return found is not None and is_operator(found)


def operator_only(request: HttpRequest) -> bool:
    """For `has_permission` of Django's admin: an operator whose second factor this session has seen.

    What changes something needs it within ACTING_WINDOW. Whoever is refused is answered by `operator_refusal`.
    """
    if not is_operator(request.user) or assurance.second_factor_at(request) is None:
        return False
    return request.method in _READING or _has_acting_proof(request)


def operator_refusal(request: PersonRequest) -> HttpResponse:
    """What somebody signed in is told whom `operator_only` refused. Raises Http404 for anybody but an operator."""
    if not is_operator(request.user):
        raise Http404
    return _refusal(request) or _prove(request, request.user)


def _refusal(request: PersonRequest) -> HttpResponse | None:
    if not assurance.has_second_factor(request.user):
        return render(request, "account/second_factor_needed.html", status=403)
    if assurance.second_factor_at(request) is None:
        return _prove(request, request.user)
    return None


def _has_acting_proof(request: HttpRequest) -> bool:
    at = assurance.second_factor_at(request)
    return at is not None and clock.now() - ACTING_WINDOW <= at


def _prove(request: HttpRequest, user: User) -> HttpResponse:
    return SeeOther(assurance.proof_address(user, then=request.get_full_path()))


def _as_staff(request: PersonRequest, initiator: Initiator) -> StaffRequest:
    staff = cast(StaffRequest, request)
    staff.actor = Actor(initiator=initiator, pseudonym=request.user.pseudonym, request_id=request_id_of(request))
    return staff

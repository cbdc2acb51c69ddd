"""One customer, looked up by a number of theirs, for a reason that they read themselves. Consents, never data."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Max
from django.http import Http404, HttpResponse
from django.views.decorators.http import require_http_methods, require_safe

from banks import customers
from banks.directory import InstitutionCard
from consents import clock, lifecycle, lookups, proposals, traffic
from consents.errors import ConsentNotFound, LookupsSpent, TransitionRefused
from consents.models import Consent, ConsentAccount, CustomerLookup, UsageRow
from consents.reasons import LookupReason, OpenReason, StopReason
from consents.scopes import Scope
from consents.states import LIVE_CONSENTS, ConsentAccountStatus, ConsentStatus
from gateway.backoffice import acts, pages, wording
from gateway.backoffice.acts import Act
from gateway.backoffice.lookup_form import LookupForm
from gateway.identity.pages import SeeOther
from gateway.identity.staff import StaffRequest, acting, bank_staff

#: How long the result of a look-up stays open to who made it.
OPEN = timedelta(minutes=30)
#: Ended consents on the page, newest first; what is live has no bound.
ENDED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One consent of this customer that holds, or held, accounts of this bank."""

    consent: Consent
    status: str
    here: str
    accounts: int
    scopes: list[str]
    last_read_at: datetime | None
    can_suspend: bool
    can_lift: bool

    @property
    def is_live(self) -> bool:
        return self.can_suspend or self.can_lift


@require_http_methods(["GET", "HEAD", "POST"])
@bank_staff
@acting
def search(request: StaffRequest, institution: InstitutionCard) -> HttpResponse:
    """POST takes a number or a consent's reference, and a reason. The number is kept nowhere."""
    now = clock.now()
    form = LookupForm(request.POST if request.method == "POST" else None, country=institution.country)
    if request.method != "POST" or not form.is_valid():
        return _form(request, institution, form, status=422 if request.method == "POST" else 200)
    try:
        found = lookups.record(
            institution_id=institution.id,
            user_ids=_people(institution, form),
            reason=form.reason_code,
            actor=request.actor,
            now=now,
        )
    except LookupsSpent:
        form.add_error(None, "You have looked up as many customers as one person may in an hour. Wait, then try again.")
        return _form(request, institution, form, status=429)
    if not found:
        form.add_error(None, "Nobody who uses Sluice has this number. The look-up is in the audit log.")
        return _form(request, institution, form, status=404)
    return SeeOther(pages.address("customer", institution, found[0].id))


@require_safe
@bank_staff
def customer(request: StaffRequest, institution: InstitutionCard, lookup_id: UUID) -> HttpResponse:
    now = clock.now()
    found = _lookup_or_404(request, institution, lookup_id, now)
    # Two people may share an account: each was told of the look-up.
    together = CustomerLookup.objects.filter(
        request_id=found.request_id, institution_id=institution.id, staff_pseudonym=found.staff_pseudonym
    ).order_by("user_id")
    people = [(one, _lines(institution, one.user_id, now)) for one in together]
    return pages.shown(
        request,
        institution,
        "customer.html",
        {
            "lookup": found,
            "reason": wording.REASONS[found.reason_code],
            "people": people,
            "until": found.looked_up_at + OPEN,
            "ended_limit": ENDED,
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@bank_staff
@acting
def suspend(request: StaffRequest, institution: InstitutionCard, lookup_id: UUID, consent_id: UUID) -> HttpResponse:
    consent, back = _consent_or_404(request, institution, lookup_id, consent_id)
    reason = pages.reason_in(request, StopReason)
    if request.method == "POST" and reason is not None:
        said = f"{consent.platform.name} gets nothing of this customer from {institution.name}."
        return _done(request, institution, consent_id, back, reason, lifecycle.suspend_accounts, said)
    return acts.page(
        request,
        institution,
        Act(
            title=f"Suspend one customer’s consent to {consent.platform.name}",
            lead=f"{consent.platform.name} gets nothing of this customer’s accounts at {institution.name}, at once.",
            consequences=["Accounts at other banks go on.", "Two people can lift it; then it is as before."],
            button="Suspend now",
            reasons=pages.reason_choices(StopReason),
            back=back,
        ),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@bank_staff
@acting
def end(request: StaffRequest, institution: InstitutionCard, lookup_id: UUID, consent_id: UUID) -> HttpResponse:
    """A stop for one customer, so one person's; they may consent anew."""
    consent, back = _consent_or_404(request, institution, lookup_id, consent_id)
    reason = pages.reason_in(request, StopReason)
    if request.method == "POST" and reason is not None:
        said = f"{institution.name}’s part of the consent to {consent.platform.name} has ended."
        return _done(request, institution, consent_id, back, reason, lifecycle.revoke_accounts, said)
    return acts.page(
        request,
        institution,
        Act(
            title=f"End one customer’s consent to {consent.platform.name}",
            lead=f"The accounts at {institution.name} leave this consent for good.",
            consequences=[
                "Accounts at other banks go on. Without any, the consent ends and its tokens are deleted.",
                "It cannot be undone here. The customer may consent anew.",
            ],
            button="End it now",
            reasons=pages.reason_choices(StopReason),
            back=back,
        ),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@bank_staff
@acting
def lift(request: StaffRequest, institution: InstitutionCard, lookup_id: UUID, consent_id: UUID) -> HttpResponse:
    """Giving back takes two: it becomes a proposal."""
    consent, back = _consent_or_404(request, institution, lookup_id, consent_id)
    reason = pages.reason_in(request, OpenReason)
    if request.method == "POST" and reason is not None:
        proposals.propose_consent_lift(
            institution_id=institution.id,
            platform_id=consent.platform_id,
            consent_id=consent_id,
            reason=reason,
            person=request.user.id,
            actor=request.actor,
            now=clock.now(),
        )
        said = "Asked for. It waits here for a second person."
        return pages.onward(request, pages.address("proposals", institution), said)
    return acts.page(
        request,
        institution,
        Act(
            title=f"Lift the stop of one customer’s consent to {consent.platform.name}",
            lead=f"{consent.platform.name} gets again what it got before, as soon as a second person has approved.",
            button="Ask for it",
            reasons=pages.reason_choices(OpenReason),
            back=back,
        ),
    )


def _done(
    request: StaffRequest,
    institution: InstitutionCard,
    consent_id: UUID,
    back: str,
    reason: StopReason,
    hand: Callable[..., object],
    said: str,
) -> HttpResponse:
    try:
        hand(
            consent_id=consent_id,
            institution_id=institution.id,
            reason=reason,
            actor=request.actor,
            now=clock.now(),
        )
    except (ConsentNotFound, TransitionRefused):
        return pages.onward(request, back, "It had changed already. The list shows how it stands.")
    return pages.onward(request, back, said)


def _form(request: StaffRequest, institution: InstitutionCard, form: LookupForm, *, status: int) -> HttpResponse:
    return pages.shown(
        request,
        institution,
        "customers.html",
        {
            "form": form,
            "reasons": pages.reason_choices(LookupReason, request.POST.get("reason", "")),
            "errors": form.errors_listed(),
            "error": bool(form.errors_listed()),
            "limit": lookups.LOOKUPS_MAX,
        },
        status=status,
    )


def _people(institution: InstitutionCard, form: LookupForm) -> list[UUID]:
    """At this bank alone: a number, or a consent, of another bank finds nobody."""
    if form.consent_id is not None:
        held = ConsentAccount.objects.filter(institution_id=institution.id, consent_id=form.consent_id)
        return list(Consent.objects.filter(id__in=held.values("consent_id")).values_list("user_id", flat=True))
    return customers.holders(institution.id, form.numbers, form.currency_code)


def _lookup_or_404(
    request: StaffRequest, institution: InstitutionCard, lookup_id: UUID, now: datetime
) -> CustomerLookup:
    """Of this person at this bank, not longer than OPEN ago: afterwards they give a reason anew."""
    found = CustomerLookup.objects.filter(
        id=lookup_id,
        institution_id=institution.id,
        staff_pseudonym=request.actor.pseudonym,
        looked_up_at__gt=now - OPEN,
    ).first()
    if found is None:
        raise Http404
    return found


def _consent_or_404(
    request: StaffRequest, institution: InstitutionCard, lookup_id: UUID, consent_id: UUID
) -> tuple[Consent, str]:
    """A consent of the person looked up, with accounts of this bank; and the way back to the list."""
    found = _lookup_or_404(request, institution, lookup_id, clock.now())
    together = CustomerLookup.objects.filter(
        request_id=found.request_id, institution_id=institution.id, staff_pseudonym=found.staff_pseudonym
    )
    held = ConsentAccount.objects.filter(consent_id=consent_id, institution_id=institution.id)
    consent = (
        Consent.objects.filter(id__in=held.values("consent_id"), user_id__in=together.values("user_id"))
        .select_related("platform")
        .first()
    )
    if consent is None:
        raise Http404
    return consent, pages.address("customer", institution, lookup_id)


def _lines(institution: InstitutionCard, user_id: UUID, now: datetime) -> list[Line]:
    held = ConsentAccount.objects.filter(institution_id=institution.id)
    own = (
        Consent.objects.filter(user_id=user_id, id__in=held.values("consent_id"))
        .select_related("platform")
        .order_by("-created_at", "-id")
    )
    live = list(own.filter(status__in=LIVE_CONSENTS, expires_at__gt=now))
    ended = list(own.exclude(id__in=[consent.id for consent in live])[:ENDED])
    rows = list(held.filter(consent_id__in=[consent.id for consent in [*live, *ended]]))
    read = _last_reads(institution.id, user_id, now)
    return [
        _line(consent, [row for row in rows if row.consent_id == consent.id], read.get(consent.id), now)
        for consent in [*live, *ended]
    ]


def _line(consent: Consent, rows: list[ConsentAccount], last_read_at: datetime | None, now: datetime) -> Line:
    statuses = {ConsentAccountStatus(row.status) for row in rows}
    is_live = consent.status in LIVE_CONSENTS and not consent.is_expired(now)
    here = min(statuses, key=list(ConsentAccountStatus).index)
    return Line(
        consent=consent,
        status=wording.CONSENT_STATUS[
            ConsentStatus(consent.status) if is_live or consent.ended_at else ConsentStatus.EXPIRED
        ],
        here=wording.ACCOUNT_STATUS[here],
        accounts=sum(row.status != ConsentAccountStatus.REVOKED for row in rows),
        scopes=wording.scopes(frozenset(Scope(name) for name in consent.scopes)),
        last_read_at=last_read_at,
        can_suspend=is_live and ConsentAccountStatus.ACTIVE in statuses,
        can_lift=is_live and ConsentAccountStatus.SUSPENDED in statuses,
    )


def _last_reads(institution_id: UUID, user_id: UUID, now: datetime) -> dict[UUID, datetime]:
    """By consent: when accounts of this bank were last read."""
    months = traffic.usage_months(now.date())
    rows = UsageRow.objects.filter(month__in=months, user_id=user_id, institution_id=institution_id).order_by()
    return dict(rows.values_list("consent_id").annotate(last=Max("read_at")))

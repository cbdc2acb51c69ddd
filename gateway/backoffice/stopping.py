"""Stops, and the way back: each on a page that shows first who is affected. Taking away is one person's, at once."""

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from django.http import HttpResponse
from django.views.decorators.http import require_http_methods

from banks import dry_run
from banks.directory import InstitutionCard
from consents import clock, policies, proposals, stops
from consents.errors import PolicyChanged, TransitionRefused
from consents.models import Platform
from consents.policy_terms import NOTHING, PolicyTerms
from consents.reasons import OpenReason, StopReason
from consents.scopes import Scope, consistent
from consents.states import PolicyStatus
from gateway import words
from gateway.backoffice import acts, pages
from gateway.backoffice.acts import Act
from gateway.backoffice.pages import Choice
from gateway.identity.staff import StaffRequest, acting, bank_staff


@require_http_methods(["GET", "HEAD", "POST"])
@bank_staff
@acting
def suspend(request: StaffRequest, institution: InstitutionCard, platform_id: UUID | None = None) -> HttpResponse:
    """Without a platform: the whole bank."""
    platform = None if platform_id is None else pages.platform_or_404(platform_id)
    reason = pages.reason_in(request, StopReason)
    home = pages.home_of(institution, platform_id)
    if request.method == "POST" and reason is not None:
        try:
            stops.suspend(
                institution_id=institution.id,
                platform_id=platform_id,
                person=request.user.id,
                reason=reason,
                actor=request.actor,
                now=clock.now(),
            )
        except TransitionRefused:
            return pages.onward(request, home, "It was stopped already.")
        return pages.onward(request, home, f"{_who(platform)} gets nothing more from {institution.name}.")
    stopped = _changed(institution, platform_id, status=PolicyStatus.SUSPEND)
    return acts.page(
        request,
        institution,
        Act(
            title=f"Suspend {_name(platform, institution)}",
            lead=f"{_who(platform)} gets nothing of {institution.name} from the moment you press the button.",
            consequences=[
                "Every consent stays as it is. Customers need not do anything.",
                "Calls are refused with the reason that the bank has suspended it.",
                "It can be lifted later by two people; then everything is as before.",
            ],
            button="Suspend now",
            reasons=pages.reason_choices(StopReason),
            back=home,
            rehearsed=dry_run.rehearse(institution_id=institution.id, changes=stopped, now=clock.now()),
        ),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@bank_staff
@acting
def lift(request: StaffRequest, institution: InstitutionCard, platform_id: UUID | None = None) -> HttpResponse:
    """One asks; another approves on the page of proposals."""
    platform = None if platform_id is None else pages.platform_or_404(platform_id)
    reason = pages.reason_in(request, OpenReason)
    home = pages.home_of(institution, platform_id)
    newest = policies.latest(institution.id, platform_id)
    if newest is None or newest.status != PolicyStatus.SUSPEND:
        return pages.onward(request, home, "There is no stop to lift.")
    if request.method == "POST" and reason is not None:
        try:
            proposals.propose_lift(
                institution_id=institution.id,
                platform_id=platform_id,
                reason=reason,
                person=request.user.id,
                actor=request.actor,
                now=clock.now(),
            )
        except TransitionRefused:
            return pages.onward(request, home, "There is no stop to lift.")
        return _asked(request, institution)
    allowed: dict[UUID | None, PolicyTerms] = {
        platform_id: replace(policies.terms_of(newest), status=PolicyStatus.ALLOW)
    }
    return acts.page(
        request,
        institution,
        Act(
            title=f"Lift the stop of {_name(platform, institution)}",
            lead="The same terms are in force again as before the stop, as soon as a second person has approved.",
            consequences=[
                "Until then nothing changes.",
                "Consents that were stopped or ended meanwhile do not come back.",
            ],
            button="Ask for it",
            reasons=pages.reason_choices(OpenReason),
            back=home,
            rehearsed=dry_run.rehearse(institution_id=institution.id, changes=allowed, now=clock.now()),
        ),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@bank_staff
@acting
def withdraw(request: StaffRequest, institution: InstitutionCard, platform_id: UUID) -> HttpResponse:
    """The final end, asked for by one and approved by another."""
    platform = pages.platform_or_404(platform_id)
    reason = pages.reason_in(request, StopReason)
    home = pages.home_of(institution, platform_id)
    if request.method == "POST" and reason is not None:
        try:
            proposals.propose_withdrawal(
                institution_id=institution.id,
                platform_id=platform_id,
                reason=reason,
                person=request.user.id,
                actor=request.actor,
                now=clock.now(),
            )
        except TransitionRefused:
            return pages.onward(request, home, f"{platform.name} was withdrawn already.")
        return _asked(request, institution)
    blocked = _changed(institution, platform_id, status=PolicyStatus.BLOCK)
    return acts.page(
        request,
        institution,
        Act(
            title=f"Withdraw {platform.name} for good",
            lead=f"{platform.name} loses everything it holds at {institution.name} when a second person has approved.",
            consequences=[
                "This cannot be undone: every customer would have to consent anew.",
                "Consents for accounts of this bank alone end. In others the accounts of this bank end; the rest goes "
                "on.",
                "Tokens that open nothing but this bank are deleted with the approval.",
                "If it only should stop for now, suspend it instead: one person can do that at once.",
            ],
            button="Ask for it",
            reasons=pages.reason_choices(StopReason),
            back=home,
            rehearsed=dry_run.rehearse(institution_id=institution.id, changes=blocked, now=clock.now()),
        ),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@bank_staff
@acting
def stop_scope(request: StaffRequest, institution: InstitutionCard, platform_id: UUID | None = None) -> HttpResponse:
    """Takes `scope` in the address: without it the page asks which; with it, it shows whom it concerns."""
    platform = None if platform_id is None else pages.platform_or_404(platform_id)
    home = pages.home_of(institution, platform_id)
    without = _without(institution, platform_id)
    asked = request.GET.get("scope", "")
    scope = next((one for one in without if one == asked), None)
    title = f"Stop one kind of data for {_name(platform, institution)}"
    if scope is None:
        is_short = bool(asked) or request.method == "POST"
        choices = [Choice(one, words.SCOPE_WORDS[one].label) for one in without]
        return pages.shown(
            request,
            institution,
            "scope.html",
            {"title": title, "choices": choices, "back": home, "error": "Choose one of the list" if is_short else ""},
            status=422 if is_short else 200,
        )
    reason = pages.reason_in(request, StopReason)
    if request.method == "POST" and reason is not None:
        try:
            stops.stop_scope(
                institution_id=institution.id,
                platform_id=platform_id,
                scope=scope,
                person=request.user.id,
                reason=reason,
                actor=request.actor,
                now=clock.now(),
            )
        except (TransitionRefused, PolicyChanged):
            return pages.onward(request, home, "It was changed meanwhile. Look at what holds now.")
        return pages.onward(
            request, home, f"{words.SCOPE_WORDS[scope].label}: stopped for {_name(platform, institution)}."
        )
    return acts.page(
        request,
        institution,
        Act(
            title=title,
            lead=f"{words.SCOPE_WORDS[scope].label}: not shared any more from the moment you press the button.",
            consequences=[
                "What needs this data stops with it. All else goes on.",
                "Consents stay as they are. To share it again, change the policy: that takes two people.",
            ],
            button="Stop it now",
            reasons=pages.reason_choices(StopReason),
            back=home,
            rehearsed=dry_run.rehearse(institution_id=institution.id, changes=without[scope], now=clock.now()),
        ),
    )


def _without(institution: InstitutionCard, platform_id: UUID | None) -> dict[Scope, Mapping[UUID | None, PolicyTerms]]:
    """By each scope that is shared now: the policies that would lose it. A platform that was withdrawn has none."""
    if platform_id is None:
        every = {one: policies.terms_of(policy) for one, policy in policies.latest_versions(institution.id).items()}
    else:
        terms = policies.terms_that_hold(institution.id, platform_id)
        every = {} if terms is None else {platform_id: terms}
    held = {one: terms for one, terms in every.items() if terms.status != PolicyStatus.BLOCK}
    return {
        scope: {
            one: replace(terms, scopes=consistent(terms.scopes - {scope}))
            for one, terms in held.items()
            if scope in terms.scopes
        }
        for scope in Scope
        if any(scope in terms.scopes for terms in held.values())
    }


def _changed(
    institution: InstitutionCard, platform_id: UUID | None, *, status: PolicyStatus
) -> dict[UUID | None, PolicyTerms]:
    held = policies.terms_that_hold(institution.id, platform_id) or NOTHING
    return {platform_id: replace(held, status=status)}


def _asked(request: StaffRequest, institution: InstitutionCard) -> HttpResponse:
    return pages.onward(
        request, pages.address("proposals", institution), "Asked for. It waits here for a second person."
    )


def _name(platform: Platform | None, institution: InstitutionCard) -> str:
    return f"all of {institution.name}" if platform is None else platform.name


def _who(platform: Platform | None) -> str:
    return "Every platform" if platform is None else platform.name

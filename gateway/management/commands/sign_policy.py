"""`sign_policy`: what a bank accepts; without one in force nothing of that bank is served."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from banks import directory
from banks.directory import InstitutionCard
from banks.errors import InstitutionNotFound
from consents import clock, policies
from consents.audit import Actor
from consents.errors import RequestNotAllowed
from consents.models import Platform
from consents.policies import PolicyTerms
from consents.policy_terms import StepUp
from consents.scopes import LocationPrecision, Purpose, Scope, SensitiveGroup
from consents.states import Initiator, PolicyStatus
from gateway.advice import manage
from gateway.identity.models import Membership


class Command(BaseCommand):
    help = (
        "Signs a new policy version as the operator, for a bank without staff here. For example: manage.py sign_policy "
        "first-bank --scopes accounts balances --purposes budgeting --history-days-max 90"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("bank", help="slug")
        parser.add_argument("--platform", default="", help="client id; without it: every platform")
        parser.add_argument(
            "--status",
            choices=[s.value for s in PolicyStatus],
            default=PolicyStatus.ALLOW.value,
            help="ALLOW (default) serves what is named here; SUSPEND and BLOCK serve nothing",
        )
        parser.add_argument(
            "--scopes", nargs="+", choices=[s.value for s in Scope], help="what may be shared; ALLOW needs it"
        )
        parser.add_argument(
            "--purposes", nargs="+", choices=[p.value for p in Purpose], help="what for; ALLOW needs it"
        )
        parser.add_argument("--history-days-max", type=int, default=365, help="how far back; 1 to 730, 365 unless said")
        parser.add_argument(
            "--duration-days-max", type=int, default=365, help="how long a consent serves; 1 to 365, 365 unless said"
        )
        parser.add_argument(
            "--location-precision",
            choices=[p.value for p in LocationPrecision],
            help="the closest a place is told; without it: no places",
        )
        parser.add_argument(
            "--on-platform-only",
            action="store_true",
            help="only transactions with merchants that are the platform's own",
        )
        parser.add_argument(
            "--hide",
            nargs="*",
            choices=[g.value for g in SensitiveGroup if g is not SensitiveGroup.NONE],
            default=[],
            help="groups of merchants whose transactions are left out",
        )
        parser.add_argument("--attended-only", action="store_true", help="serve only while the user is present")
        parser.add_argument(
            "--accepts-attestation",
            action="store_true",
            help="take the platform's word that the user is present; without it such a call counts as unattended",
        )
        parser.add_argument(
            "--step-up",
            choices=[s.value for s in StepUp],
            default=StepUp.BANK.value,
            help="what proves the person before an existing bank link is shared further: a login at the bank (the "
            "default), or a passkey or one-time code here",
        )
        parser.add_argument("--allow-standard-profile", action="store_true", help="do not demand FAPI 2.0")

    def handle(self, *args: Any, **options: Any) -> None:
        _require_what_is_allowed(options)
        try:
            card = directory.institution(options["bank"])
        except InstitutionNotFound as error:
            raise CommandError(f"No bank {options['bank']}. Add it first: {manage('add_bank --help')}") from error
        _refuse_where_the_bank_signs(card)
        platform_id = _platform_id(options["platform"])
        try:
            policy = policies.sign(
                institution_id=card.id,
                platform_id=platform_id,
                terms=_terms(options),
                approved_by=[],
                actor=Actor(initiator=Initiator.OPERATOR),
                now=clock.now(),
            )
        except RequestNotAllowed as error:
            raise CommandError(str(error), returncode=2) from error
        self.stdout.write(f"Policy version {policy.version} of {card.slug} is in force.")


def _refuse_where_the_bank_signs(card: InstitutionCard) -> None:
    """Its limits are its own as soon as it has people here; the operator may still suspend a platform or a consent."""
    if Membership.objects.filter(institution_id=card.id, ended_at=None).exists():
        raise CommandError(f"{card.name} has staff here: its policies are signed at its console.")


def _require_what_is_allowed(options: dict[str, Any]) -> None:
    """A default would open everything to whoever forgets an option; a stop opens nothing, so it needs none."""
    if options["status"] != PolicyStatus.ALLOW:
        return
    missing = [f"--{name}" for name in ("scopes", "purposes") if not options[name]]
    if missing:
        raise CommandError(f"A policy that allows must say what: {', '.join(missing)} missing.", returncode=2)


def _terms(options: dict[str, Any]) -> PolicyTerms:
    precision = options["location_precision"]
    return PolicyTerms(
        scopes=frozenset(Scope(s) for s in options["scopes"] or ()),
        purposes=frozenset(Purpose(p) for p in options["purposes"] or ()),
        status=PolicyStatus(options["status"]),
        history_days_max=options["history_days_max"],
        duration_days_max=options["duration_days_max"],
        location_precision=LocationPrecision(precision) if precision else None,
        on_platform_only=options["on_platform_only"],
        hidden_groups=frozenset(SensitiveGroup(g) for g in options["hide"]),
        requires_attended=options["attended_only"],
        step_up=StepUp(options["step_up"]),
        accepts_attestation=options["accepts_attestation"],
        requires_fapi2=not options["allow_standard_profile"],
    )


def _platform_id(client_id: str) -> Any:
    if not client_id:
        return None
    platform = Platform.objects.filter(client_id=client_id).first()
    if platform is None:
        raise CommandError(f"No platform {client_id}. Register it first: {manage('register_platform --help')}")
    return platform.id

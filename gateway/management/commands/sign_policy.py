"""`sign_policy`: what a bank accepts; without one in force nothing of that bank is served."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from banks import directory
from banks.errors import InstitutionNotFound
from consents import clock, policies
from consents.audit import Actor
from consents.models import Platform
from consents.policies import PolicyTerms
from consents.scopes import LocationPrecision, Purpose, Scope, SensitiveGroup
from consents.states import Initiator, PolicyStatus


class Command(BaseCommand):
    help = "Signs a new policy version as the operator, for a bank without staff here."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("bank", help="slug")
        parser.add_argument("--platform", default="", help="client id; without it: every platform")
        parser.add_argument("--status", choices=[s.value for s in PolicyStatus], default=PolicyStatus.ALLOW.value)
        parser.add_argument("--scopes", nargs="+", choices=[s.value for s in Scope], default=[s.value for s in Scope])
        parser.add_argument(
            "--purposes", nargs="+", choices=[p.value for p in Purpose], default=[p.value for p in Purpose]
        )
        parser.add_argument("--history-days-max", type=int, default=365)
        parser.add_argument("--duration-days-max", type=int, default=365)
        parser.add_argument("--location-precision", choices=[p.value for p in LocationPrecision])
        parser.add_argument("--on-platform-only", action="store_true")
        parser.add_argument("--hide", nargs="*", choices=[g.value for g in SensitiveGroup], default=[])
        parser.add_argument("--attended-only", action="store_true")
        parser.add_argument("--allow-standard-profile", action="store_true", help="do not demand FAPI 2.0")

    def handle(self, *args: Any, **options: Any) -> None:
        precision = options["location_precision"]
        try:
            card = directory.institution(options["bank"])
        except InstitutionNotFound as error:
            raise CommandError(f"No bank {options['bank']}. Add it first: manage.py add_bank --help") from error
        policy = policies.sign(
            institution_id=card.id,
            platform_id=_platform_id(options["platform"]),
            terms=PolicyTerms(
                scopes=frozenset(Scope(s) for s in options["scopes"]),
                purposes=frozenset(Purpose(p) for p in options["purposes"]),
                status=PolicyStatus(options["status"]),
                history_days_max=options["history_days_max"],
                duration_days_max=options["duration_days_max"],
                location_precision=LocationPrecision(precision) if precision else None,
                on_platform_only=options["on_platform_only"],
                hidden_groups=frozenset(SensitiveGroup(g) for g in options["hide"]),
                requires_attended=options["attended_only"],
                requires_fapi2=not options["allow_standard_profile"],
            ),
            approved_by=[],
            actor=Actor(initiator=Initiator.OPERATOR),
            now=clock.now(),
        )
        self.stdout.write(f"Policy version {policy.version} of {card.slug} is in force.")


def _platform_id(client_id: str) -> Any:
    if not client_id:
        return None
    platform = Platform.objects.filter(client_id=client_id).first()
    if platform is None:
        raise CommandError(f"No platform {client_id}. Register it first: manage.py register_platform --help")
    return platform.id

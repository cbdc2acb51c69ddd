"""`bank_staff`: who works for a bank here, and from now on or no longer."""

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from banks import directory
from banks.directory import InstitutionCard
from banks.errors import InstitutionNotFound
from consents import audit, clock
from consents.audit import Actor
from consents.states import Initiator
from gateway.advice import manage
from gateway.identity.models import Membership, MembershipRole, User


class Command(BaseCommand):
    help = (
        "Lists a bank's staff; --add and --end change it. Wider limits need two of them at the bank's console. "
        "For example: manage.py bank_staff first-bank --add alice"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("bank", help="slug")
        change = parser.add_mutually_exclusive_group()
        change.add_argument("--add", metavar="USERNAME", help="works there from now on; signs up at /sign-up/ first")
        change.add_argument("--end", metavar="USERNAME", help="works there no longer; holds from the next request on")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            bank = directory.institution(options["bank"])
        except InstitutionNotFound as error:
            raise CommandError(f"No bank {options['bank']}. Add it first: {manage('add_bank --help')}") from error
        now = clock.now()
        if options["add"]:
            _add(_user(options["add"]), bank, now)
        if options["end"]:
            _end(_user(options["end"]), bank, now)
        staff = Membership.objects.filter(institution_id=bank.id, ended_at=None).order_by("user__username")
        names = [membership.user.username for membership in staff.select_related("user")]
        self.stdout.write(f"Staff of {bank.slug}: {', '.join(names) or 'nobody'}.")
        if len(names) == 1:
            self.stdout.write("One person can stop and narrow; to lift or widen anything, a second is needed.")


def _user(name: str) -> User:
    try:
        return User.objects.get(username=name, is_active=True)
    except User.DoesNotExist as error:
        raise CommandError(f"No active user {name}. They sign up at /sign-up/ first.") from error


def _add(user: User, bank: InstitutionCard, now: datetime) -> None:
    with transaction.atomic():
        _, is_new = Membership.objects.get_or_create(
            user=user, institution_id=bank.id, role=MembershipRole.BANK_ADMIN, ended_at=None
        )
        if is_new:
            _record("membership.added", user, bank, now)


def _end(user: User, bank: InstitutionCard, now: datetime) -> None:
    with transaction.atomic():
        held = Membership.objects.filter(user=user, institution_id=bank.id, ended_at=None)
        if not held.update(ended_at=now):
            raise CommandError(f"{user.username} does not work at {bank.slug}.")
        _record("membership.ended", user, bank, now)


def _record(action: str, user: User, bank: InstitutionCard, now: datetime) -> None:
    actor = Actor(initiator=Initiator.OPERATOR)
    audit.record(action, actor=actor, now=now, user_pseudonym=user.pseudonym, institution_id=bank.id)

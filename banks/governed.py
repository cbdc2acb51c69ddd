"""The manager that knows no default: every query on customer data names its authority."""

from collections.abc import Collection
from typing import Any, NoReturn, TypeVar
from uuid import UUID

from django.db import models

from consents.policy import Permit

M = TypeVar("M", bound=models.Model)


class Ungoverned(RuntimeError):
    """A query on customer data that names no authority. A bug, never a user's error."""


class GovernedManager(models.Manager[M]):
    """`.permitted(permit)` to read, `.for_sync()` to write; everything else raises Ungoverned.

    That includes `.all()`, `.filter()`, reverse relations, dumpdata and an admin page. The row filters of a permit
    (window, on-platform, hidden groups) are banks.read's; here stands the floor under them: the permit's own accounts.
    """

    def get_queryset(self) -> NoReturn:
        raise Ungoverned(f"{self.model.__name__}: read with .permitted(permit), write with .for_sync()")

    def for_sync(self) -> models.QuerySet[M]:
        return super().get_queryset()

    def permitted(self, permit: Permit) -> models.QuerySet[M]:
        reached = frozenset[Any]().union(*(part.account_ids for part in permit.slices))
        return self.within(permit.user_id, reached)

    def within(self, user_id: UUID, account_ids: Collection[UUID]) -> models.QuerySet[M]:
        """The floor by itself: for banks.read_sql, which compiles it once and fills in what a permit says each time."""
        governed: Any = self.model
        return super().get_queryset().filter(**governed.within(user_id, account_ids))

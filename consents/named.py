"""Columns that hold the id of something which has a name: people read the name, and search for it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Manager, QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString


@dataclass(frozen=True, slots=True)
class Named:
    """What such a column is called on pages, and the rows that it leads to, which have an `id` and a `name`."""

    called: str
    objects: Manager[Any]

    def names(self, ids: Iterable[UUID]) -> dict[UUID, str]:
        return dict(self.objects.filter(id__in=set(ids)).values_list("id", "name"))

    def with_name(self, part: str) -> QuerySet[Any]:
        """Ids of those whose name has `part` in it, in whatever case."""
        return self.objects.filter(name__icontains=part).values("id")

    def link(self, name: str, id: UUID, site: str) -> SafeString:
        """The name, leading to the page of what has it, and the id."""
        table = self.objects.model._meta
        page = f"admin:{table.app_label}_{table.model_name}_change"
        return format_html('<a href="{}">{}</a> {}', reverse(page, args=[id], current_app=site), name, id)

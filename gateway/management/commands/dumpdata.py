"""`dumpdata` without customer data: Django's own, with `--all`, goes past the managers that refuse."""

from typing import Any

from django.apps import apps  # noqa: TID251 -- looks at which tables there are, reads none of them
from django.core.management.base import CommandError
from django.core.management.commands import dumpdata
from django.core.management.utils import parse_apps_and_model_labels
from django.db.models import Model

from banks.governed import GovernedManager


class Command(dumpdata.Command):
    help = dumpdata.Command.help + " Refuses tables of customer data."

    def handle(self, *app_labels: str, **options: Any) -> None:
        """Raises CommandError when a governed table would be written out."""
        governed = sorted(model._meta.label for model in _wanted(app_labels, options["exclude"]) if _is_governed(model))
        if governed:
            raise CommandError(
                f"{', '.join(governed)}: customer data is not dumped, because no consent covers the copy. "
                "Leave it out (--exclude banks); for a backup use the database's own."
            )
        super().handle(*app_labels, **options)


def _wanted(labels: tuple[str, ...], excluded: list[str]) -> set[type[Model]]:
    left_out = _models(tuple(excluded)) if excluded else set()
    return (_models(labels) if labels else set(apps.get_models())) - left_out


def _models(labels: tuple[str, ...]) -> set[type[Model]]:
    models, configs = parse_apps_and_model_labels(labels)
    return set(models).union(*(config.get_models() for config in configs))


def _is_governed(model: type[Model]) -> bool:
    return any(isinstance(manager, GovernedManager) for manager in model._meta.managers)

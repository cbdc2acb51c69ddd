"""Migrating from nothing, without drawing every model anew for each table that is made."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db.migrations.state import ModelState, ProjectState


@contextmanager
def new_models_alone() -> Iterator[None]:
    """Within: a model that a migration makes is added to what is there, as importing a module of models would add it.

    Django's own way renders all models again that are related to it, directly or not: right where one was there before,
    and most of the time of a first start where none was. What is altered, renamed or removed goes Django's way.
    """
    original = ProjectState.add_model

    def add_model(self: ProjectState, model_state: ModelState) -> None:
        rendered = self.__dict__.pop("apps", None)
        original(self, model_state)
        if rendered is not None:
            self.__dict__["apps"] = rendered
            rendered.render_multiple([model_state])

    ProjectState.add_model = add_model  # type: ignore[method-assign]
    try:
        yield
    finally:
        ProjectState.add_model = original  # type: ignore[method-assign]

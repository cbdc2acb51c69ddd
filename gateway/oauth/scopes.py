"""The toolkit's scopes backend, fed from the one vocabulary (settings: SCOPES_BACKEND_CLASS)."""

from typing import Any

from oauth2_provider.scopes import BaseScopes

from consents.models import Platform
from consents.scopes import Purpose, Scope, purpose_scopes


class ConsentScopes(BaseScopes):
    """The words, and per platform those within its purposes. There is no default: empty never means everything."""

    def get_all_scopes(self) -> dict[str, str]:
        return {scope.value: scope.value for scope in Scope}

    def get_available_scopes(
        self, application: Platform | None = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        if application is None:
            return []
        return sorted(purpose_scopes(Purpose(purpose) for purpose in application.purposes))

    def get_default_scopes(self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any) -> list[str]:
        return []

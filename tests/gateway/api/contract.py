"""Every answer held against the OpenAPI document that is served, with its shapes closed: an extra member fails too."""

import re
from functools import cache
from typing import Any

from openapi_schema_validator import OAS31Validator, oas31_format_checker

from gateway.api import schema


@cache
def document() -> dict[str, Any]:
    closed: dict[str, Any] = _closed(schema.document())
    return closed


def check(method: str, path: str, response: Any) -> None:
    """Raises AssertionError when the document does not know this answer of this address."""
    operation = _operation(method, path)
    assert operation is not None, f"{method} {path} is not in the document"
    answers = operation["responses"]
    assert str(response.status_code) in answers, f"{method} {path}: {response.status_code} is not in the document"
    content = answers[str(response.status_code)].get("content")
    if content is None:
        assert response.content == b"", response.content
        return
    media_type = response["Content-Type"].partition(";")[0]
    assert media_type in content, f"{media_type} instead of {sorted(content)}"
    rules = {**content[media_type]["schema"], "components": document()["components"]}
    errors = [error.message for error in validator(rules).iter_errors(response.json())]
    assert not errors, f"{method} {path}: {errors}"


def validator(rules: dict[str, Any]) -> Any:
    return OAS31Validator(rules, format_checker=oas31_format_checker)


def _operation(method: str, path: str) -> dict[str, Any] | None:
    for template, operations in document()["paths"].items():
        if re.fullmatch(re.sub(r"\{[a-z_]+\}", "[^/]+", template), path, re.DOTALL):
            found: dict[str, Any] | None = operations.get(method.lower())
            return found
    return None


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    copy = {name: _closed(value) for name, value in node.items()}
    if copy.get("type") == "object" and "properties" in copy:
        copy["additionalProperties"] = False
    return copy

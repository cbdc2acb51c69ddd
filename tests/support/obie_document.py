"""The checker: does a bank's answer say what the official OpenAPI document of UK Open Banking allows?

Reads the document where the specifications are kept (SLUICE_SPECS_DIRECTORY, else ../shared/specs beside the checkout);
it is never copied. No bank code knows of this module: a bank that checks itself proves nothing.
"""

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from openapi_schema_validator import OAS30Validator, oas30_format_checker

ROOT = Path(__file__).resolve().parents[2]
#: Version -> its document.
ACCOUNT_INFORMATION = {"3.1.11": "uk/account-info-3.1.11r5.yaml", "4.0": "uk/account-info-4.0-update4.yaml"}
_ERRORS = "OBErrorResponse1"


def specifications() -> Path:
    """Where the official documents are."""
    return Path(os.environ.get("SLUICE_SPECS_DIRECTORY") or ROOT.parent / "shared" / "specs")


@cache
def account_information(version: str = "4.0") -> "Document":
    """The document of this version, loaded once. Skips the test when this machine does not have it."""
    file = specifications() / ACCOUNT_INFORMATION[version]
    if not file.exists():
        pytest.skip(f"the official document is not here: {ACCOUNT_INFORMATION[version]} below SLUICE_SPECS_DIRECTORY")
    with file.open("rb") as stream:
        # The C loader reads the half megabyte in a tenth of the time; not every PyYAML was built with it.
        return Document(yaml.load(stream, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


class Document:
    """One OpenAPI 3.0 document as a judge of answers."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._components = document["components"]
        self._prefix = document["servers"][0]["url"]
        self._paths = [(_pattern(path), operations) for path, operations in document["paths"].items()]
        self._validators: dict[str, OAS30Validator] = {}
        self._good_rows: set[str] = set()

    def problems(self, response: requests.Response) -> list[str]:
        """What is wrong with this answer to its own request; empty when nothing is."""
        request = response.request
        path = re.sub(r"^https?://[^/]+", "", request.url or "").split("?")[0]
        try:
            body: Any = response.json() if response.content else None
        except ValueError:
            return ["the body is not JSON"]
        return self.answer_problems(request.method or "", path, response.status_code, dict(response.headers), body)

    def answer_problems(self, method: str, path: str, status: int, headers: dict[str, str], body: Any) -> list[str]:
        """The same for an answer in pieces; `path` from the origin on, `body` None when there is none."""
        operation = self._operation(method, path.removeprefix(self._prefix))
        if operation is None:
            return self._undocumented(status, body)
        documented = operation["responses"].get(str(status))
        if documented is None:
            # Read/Write profile: other standard statuses MAY come, errors MUST have the error structure.
            return self._undocumented(status, body) if status >= 500 else [f"{method} {path} has no answer {status}"]
        answer = self._resolved(documented)
        return self._header_problems(answer, headers) + self._body_problems(answer, status, headers, body)

    def schema_problems(self, schema: str, value: Any) -> list[str]:
        """What keeps `value` from being a `schema` of the document, such as OBTransaction6Basic."""
        validator = self._validators.get(schema)
        if validator is None:
            root = {"$ref": f"#/components/schemas/{schema}", "components": self._components}
            validator = self._validators[schema] = OAS30Validator(root, format_checker=oas30_format_checker)
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    def codes(self, schema: str) -> frozenset[str]:
        """The codes of an enumeration of the document, open or closed; empty when the schema names none."""
        node = self._resolved({"$ref": f"#/components/schemas/{schema}"})
        return frozenset(node.get("enum") or node.get("x-namespaced-enum") or ())

    def consent_statuses(self) -> frozenset[str]:
        """Data.Status of OBReadConsentResponse1."""
        data = self._components["schemas"]["OBReadConsentResponse1"]["properties"]["Data"]
        return frozenset(data["properties"]["Status"]["enum"])

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        for pattern, operations in self._paths:
            if pattern.fullmatch(path):
                found: dict[str, Any] | None = operations.get(method.lower())
                # 405 answers a method that is not in the document; it is documented with the path's other methods.
                return found or next((one for one in operations.values() if isinstance(one, dict)), None)
        return None

    def _undocumented(self, status: int, body: Any) -> list[str]:
        if status < 400:
            return [f"a path outside the document answered {status}"]
        return self.schema_problems(_ERRORS, body)

    def _header_problems(self, answer: dict[str, Any], headers: dict[str, str]) -> list[str]:
        given = {name.lower() for name in headers}
        wanted = [name for name, header in answer.get("headers", {}).items() if header.get("required")]
        return [f"header {name} is missing" for name in wanted if name.lower() not in given]

    def _body_problems(self, answer: dict[str, Any], status: int, headers: dict[str, str], body: Any) -> list[str]:
        content = answer.get("content")
        if content is None:
            # The document leaves the body of some errors open; the profile closes it: none, or the error structure.
            if body is None:
                return []
            return self.schema_problems(_ERRORS, body) if status >= 400 else [f"{status} has no body"]
        kind = {name.lower(): value for name, value in headers.items()}.get("content-type", "")
        if kind not in content:
            return [f"content type {kind!r} is not one of {sorted(content)}"]
        return self._content_problems(content[kind]["schema"]["$ref"].rpartition("/")[2], body)

    def _content_problems(self, schema: str, body: Any) -> list[str]:
        """As `schema_problems`, leaving out transactions already found good: they come again and again, 100 a page."""
        data = body.get("Data") if isinstance(body, dict) else None
        rows = data.get("Transaction") if isinstance(data, dict) else None
        if not isinstance(rows, list):
            return self.schema_problems(schema, body)
        new = {text: row for row in rows if (text := json.dumps(row)) not in self._good_rows}
        problems = self.schema_problems(schema, {**body, "Data": {**data, "Transaction": list(new.values())}})
        if not problems:
            self._good_rows.update(new)
        return problems

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = node
        while "$ref" in found:
            _, _, kind, name = found["$ref"].split("/")
            found = self._components[kind][name]
        return found


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(path)))

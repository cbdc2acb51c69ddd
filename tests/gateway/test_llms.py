"""/llms.txt leads to what this server answers, and promises nothing that it does not."""

import re
from typing import Any

import pytest
from django.test import Client

from gateway import llms

ISSUER = "https://sluice.example"


@pytest.fixture
def text(settings: Any) -> str:
    settings.ISSUER = ISSUER
    answer = Client().get("/llms.txt")

    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    return answer.content.decode()


def test_what_is_served_is_named_by_its_full_address(text: str) -> None:
    addresses = re.findall(rf"{ISSUER}(/[\w./]*?)[.,]?\s", text)

    assert addresses == ["/openapi.json", "/docs/", "/problems/"]
    assert [Client().get(address).status_code for address in addresses] == [200, 200, 200]


def test_no_file_of_the_repository_is_a_link(text: str) -> None:
    assert "](" not in text
    assert "- Quickstart (docs/quickstart.md): " in text


def test_the_image_has_the_file() -> None:
    assert f"!{llms.FILE.name}" in (llms.FILE.parent / ".dockerignore").read_text().split()


def test_it_is_only_read() -> None:
    assert Client().post("/llms.txt").status_code == 405

"""No page takes a file; a form in several parts is still a form."""

import tempfile
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.support import cast


@pytest.mark.parametrize("path", ["/sign-in/", "/sign-up/", "/sign-out/"])
@pytest.mark.parametrize("size", [10, 5_000_000])
def test_a_file_is_refused_before_a_byte_of_it_is_kept(
    db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str, size: int
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept: list[str] = []
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", lambda **named: kept.append("a file"))

    # With the CSRF check on, it is the one that reads the form.
    browser = Client(enforce_csrf_checks=True)
    browser.get("/sign-in/")
    answer = browser.post(path, {"file": SimpleUploadedFile("a", b"x" * size)})

    assert answer.status_code == 400
    assert "problems/bad_request.html" in [template.name for template in answer.templates]
    assert (kept, list(tmp_path.iterdir())) == ([], [])


def test_a_form_in_several_parts_still_works(db: None) -> None:
    cast.alice()

    answer = Client().post("/sign-in/", {"login": "alice", "password": cast.PASSWORD})

    assert answer.wsgi_request.content_type == "multipart/form-data"
    assert answer["Location"] == "/"

"""Content types that Django cannot read: the bank answers them like any other."""

import pytest
import requests

from tests.support.sandbox_bank import SandboxBank


@pytest.mark.parametrize("charset", ["hex", "undefined", "utf-16"])
def test_a_strange_charset_is_no_crash(bank: SandboxBank, charset: str) -> None:
    answer = requests.get(
        f"{bank.issuer}/?x=%ff", headers={"Content-Type": f"text/plain; charset={charset}"}, timeout=10
    )

    assert answer.status_code == 200


def test_a_form_in_several_parts_is_refused_and_no_crash(bank: SandboxBank) -> None:
    answer = requests.post(
        f"{bank.issuer}/oauth/token",
        data=b'--x\r\nContent-Disposition: form-data; name="grant_type"\r\n\r\nx\r\n--x--\r\n',
        headers={"Content-Type": "multipart/form-data; boundary=x; charset=hex"},
        timeout=10,
    )

    assert answer.status_code in (400, 401)

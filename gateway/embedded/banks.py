"""The pretend banks of an embedded instance: a process, a data directory and a control token each.

The supervisor knows them as parts of the instance, and tells the one process that sets the instance up.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
VARIABLE = "SLUICE_EMBEDDED_BANKS"


@dataclass(frozen=True, slots=True, kw_only=True)
class PretendBank:
    """`kind`: what SANDBOX_BANK says; `process`: its name among the processes, of its log and of its data directory."""

    kind: str
    process: str
    port: int
    data_directory: str
    control_token: str = field(repr=False)

    @property
    def issuer(self) -> str:
        return f"http://{HOST}:{self.port}"

    def environment(self) -> dict[str, str]:
        """What makes a process of `banks.sandbox` this bank's."""
        return {
            "SANDBOX_BANK": self.kind,
            "SANDBOX_ISSUER": self.issuer,
            "SANDBOX_DATA_DIRECTORY": self.data_directory,
            "SANDBOX_CONTROL_TOKEN": self.control_token,
        }


def told(banks: Iterable[PretendBank]) -> dict[str, str]:
    """The variable that hands all of them to a process."""
    return {VARIABLE: json.dumps([asdict(bank) for bank in banks])}


def heard() -> list[PretendBank]:
    """The banks that this process was told of. Raises KeyError outside an embedded instance.

    Where they are written down for anybody to read, `control_token_file` names a file that holds the token.
    """
    return [_heard(bank) for bank in json.loads(os.environ[VARIABLE])]


def _heard(bank: dict[str, Any]) -> PretendBank:
    file = bank.pop("control_token_file", None)
    return PretendBank(**bank) if file is None else PretendBank(**bank, control_token=Path(file).read_text())

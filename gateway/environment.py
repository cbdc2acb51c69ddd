"""Every variable Sluice reads, in one typed place; validated when the process starts.

Secrets may also be files: SLUICE_SECRETS_DIRECTORY names a folder whose file names are the variables' names in lower
case (`sluice_secret_key`), as Docker and Kubernetes mount them.
"""

import base64
import os
import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

BASE_DIRECTORY = Path(__file__).resolve().parent.parent
METRICS_TOKEN_CHARACTERS_MIN = 20
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_MISSING = "is not set"
#: What has no default is a secret.
_MAKE_SECRETS = (
    "Start `python3 run.py` once to have secrets made in var/secrets, or set SLUICE_SECRETS_DIRECTORY to the folder "
    "that holds them."
)


class EnvironmentInvalid(RuntimeError):
    """What is set cannot work; the text says what to type."""


class Environment(BaseSettings):
    model_config = SettingsConfigDict(extra="ignore", case_sensitive=False)

    #: Where an embedded instance keeps its database, spool and logs.
    sluice_data_directory: Path = BASE_DIRECTORY / "var"
    #: Where `manage.py collectstatic` puts what browsers fetch; `static` in the data directory unless set.
    sluice_static_directory: Path | None = None
    #: Without this file, once it is named, nothing is ready: who sets the instance up writes it when that is done.
    sluice_ready_file: Path | None = None
    #: One process group on one machine, loopback only, with sandbox banks and printed passwords.
    sluice_embedded: bool = False
    #: This server's public origin: the OAuth issuer, compared as a string by clients (RFC 8414 section 3.3).
    sluice_issuer: str = "http://127.0.0.1:8000"
    #: Signs sessions and cursors.
    sluice_secret_key: SecretStr
    #: {"key id": base64 of 32 bytes}, newest last: the ring that wraps connections' data keys.
    sluice_vault_keys: dict[str, SecretStr]
    #: Base64 of 32 bytes. Never rotates: every id a platform holds depends on it. Back it up.
    sluice_pairwise_root_key: SecretStr
    #: What opens /metrics, as a bearer token; empty: it is open on loopback alone, and only where the issuer is too.
    sluice_metrics_token: SecretStr = SecretStr("")
    #: `postgresql://user:password@host:port/name`; empty: SQLite in the data directory.
    database_url: str = ""
    #: `transaction` where DATABASE_URL leads to a pooler that gives each transaction another connection (PgBouncer's
    #: `pool_mode = transaction`); `session` for none, and for one that keeps a client's connection.
    sluice_database_pooler: Literal["session", "transaction"] = "session"
    #: `redis://host:port/0`; empty: Celery on the file system, caches in the database.
    redis_url: str = ""
    #: Seconds a claimed job stays claimed; its own deadline is three quarters of that.
    sluice_job_lease_seconds: Annotated[int, Field(ge=4, le=900)] = 60
    #: Seconds between two looks at the queue of record.
    sluice_tick_seconds: Annotated[float, Field(ge=0.1, le=60)] = 1.0
    #: Seconds between two looks that every worker takes by itself, whether or not there is a beat.
    sluice_reconcile_seconds: Annotated[float, Field(ge=1, le=300)] = 30.0

    #: Jobs that one worker process does at once, each with a database connection of its own.
    sluice_worker_threads: Annotated[int, Field(ge=1, le=512)] = 8

    #: Proxies of yours in front, each of which appends to X-Forwarded-For; 0: the header is anybody's word, and unread.
    sluice_trusted_proxies: Annotated[int, Field(ge=0, le=10)] = 0

    #: Whom mail comes from, as `Sluice <sluice@bank.example>`; empty: none is sent, notices stand on a page only.
    sluice_mail_from: str = ""
    #: The mail server (SMTP submission, RFC 6409). Needed as soon as SLUICE_MAIL_FROM is set, and the other way round.
    sluice_mail_host: Annotated[str, Field(validate_default=True)] = ""
    sluice_mail_port: Annotated[int, Field(ge=1, le=65535)] = 587
    sluice_mail_user: str = ""
    sluice_mail_password: SecretStr = SecretStr("")
    #: `starttls`, `implicit` (RFC 8314), or `none`, which is for a server on loopback.
    sluice_mail_tls: Annotated[Literal["starttls", "implicit", "none"], Field(validate_default=True)] = "starttls"

    #: Requests a minute: of one platform, of one platform for one user, of one platform for tokens, and of one address
    #: that fails to say who it is.
    sluice_platform_calls_per_minute: Annotated[int, Field(ge=1)] = 600
    sluice_user_calls_per_minute: Annotated[int, Field(ge=1)] = 120
    sluice_token_calls_per_minute: Annotated[int, Field(ge=1)] = 600
    sluice_failed_calls_per_minute: Annotated[int, Field(ge=1)] = 60

    @field_validator("sluice_issuer")
    @classmethod
    def _issuer_is_an_origin(cls, issuer: str) -> str:
        parts = urlsplit(issuer)
        if parts.scheme not in ("https", "http") or not parts.netloc or parts.path or parts.query or parts.fragment:
            raise ValueError("must be an origin such as https://sluice.example, without a path or trailing slash")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ValueError("must be https unless it is on loopback")
        return issuer

    @field_validator("redis_url")
    @classmethod
    def _redis_has_an_address(cls, url: str) -> str:
        if url and not _is_redis(url):
            raise ValueError("must be an address such as redis://:password@host:6379/0; rediss:// is for TLS")
        return url

    @field_validator("sluice_pairwise_root_key")
    @classmethod
    def _root_key_is_32_bytes(cls, key: SecretStr) -> SecretStr:
        _require_32_bytes(key)
        return key

    @field_validator("sluice_metrics_token")
    @classmethod
    def _metrics_token_is_long(cls, token: SecretStr) -> SecretStr:
        if 0 < len(token.get_secret_value()) < METRICS_TOKEN_CHARACTERS_MIN:
            raise ValueError(f"must have {METRICS_TOKEN_CHARACTERS_MIN} characters or more, or be empty")
        return token

    @field_validator("sluice_vault_keys")
    @classmethod
    def _vault_keys_are_32_bytes(cls, keys: dict[str, SecretStr]) -> dict[str, SecretStr]:
        if not keys:
            raise ValueError("at least one key is needed")
        for key in keys.values():
            _require_32_bytes(key)
        return keys

    @field_validator("sluice_mail_from")
    @classmethod
    def _mail_is_from_an_address(cls, sender: str) -> str:
        if sender and not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+|[^<>\r\n]* <[^@\s<>]+@[^@\s<>]+>", sender):
            raise ValueError("must be an address, or a name and an address in angle brackets")
        return sender

    @field_validator("sluice_mail_host")
    @classmethod
    def _mail_has_a_server_and_a_sender(cls, host: str, info: ValidationInfo) -> str:
        if bool(host) != bool(info.data.get("sluice_mail_from")):
            raise ValueError("belongs together with SLUICE_MAIL_FROM: set both, or neither")
        return host

    @field_validator("sluice_mail_tls")
    @classmethod
    def _mail_in_the_clear_is_for_loopback(cls, tls: str, info: ValidationInfo) -> str:
        if tls == "none" and info.data.get("sluice_mail_host") not in _LOOPBACK:
            raise ValueError("only a mail server on loopback is spoken to without TLS")
        return tls


def _is_redis(url: str) -> bool:
    parts = urlsplit(url)
    try:
        is_whole = bool(parts.hostname) and parts.port != 0 and not parts.fragment
    except ValueError:  # a port that is no number: mostly a password that is not written for an address
        return False
    return is_whole and parts.scheme in ("redis", "rediss") and bool(re.fullmatch(r"/?\d*", parts.path))


def _require_32_bytes(key: SecretStr) -> None:
    try:
        decoded = base64.b64decode(key.get_secret_value(), validate=True)
    except ValueError:  # whose text tells of the value
        decoded = b""
    if len(decoded) != 32:
        raise ValueError("must be the base64 of exactly 32 bytes")


def _wrong(error: ValueError) -> dict[str, str]:
    """Variables at fault, and what is wrong with each. Never their values, which pydantic's own text would echo."""
    if isinstance(error, ValidationError):
        found = error.errors(include_url=False, include_input=False)
        return {str(item["loc"][0]).upper(): _said(item["type"], item["msg"]) for item in found}
    named = re.search(r'field "(\w+)"', str(error))  # SettingsError: a value that should be JSON is none
    return {named[1].upper() if named else "a variable": "must be JSON"}


def _said(kind: str, message: str) -> str:
    if kind == "missing":
        return _MISSING
    return message.removeprefix("Value error, ").replace("Input should", "should")


def data_directory() -> Path:
    """As it is set, without loading anything else."""
    return Path(os.environ.get("SLUICE_DATA_DIRECTORY") or BASE_DIRECTORY / "var")


def secrets_directory() -> Path:
    """As it is set, whether or not there is such a folder."""
    return Path(os.environ.get("SLUICE_SECRETS_DIRECTORY") or data_directory() / "secrets")


def load() -> Environment:
    """Read environment and secret files. Raises EnvironmentInvalid with what to set."""
    secrets = secrets_directory()
    try:
        return Environment(_secrets_dir=secrets if secrets.is_dir() else None)  # type: ignore[call-arg]
    except ValueError as error:
        wrong = _wrong(error)
        each = ", ".join(f"{name} ({what})" for name, what in sorted(wrong.items()))
        advice = f" {_MAKE_SECRETS}" if _MISSING in wrong.values() else ""
        raise EnvironmentInvalid(f"missing or unusable: {each}.{advice}") from None

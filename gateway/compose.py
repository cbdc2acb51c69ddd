"""What docker-compose.yml reads: `python3 -m gateway.compose` makes the secrets, a file each, and `.env` beside it.

Standard library only: it runs on a machine where nothing is installed. What is there already is never replaced.
"""

import argparse
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from gateway.embedded.instance import SECRETS, unwritable, write_private

ROOT = Path(__file__).resolve().parent.parent
#: Whom the containers run as when root makes the secrets; the image's own user.
NOBODY_IN_PARTICULAR = 10001
TRIAL_ISSUER = "http://127.0.0.1:8000"

_PASSWORDS: dict[str, Callable[[], str]] = {
    "postgresql_password": lambda: secrets.token_urlsafe(32),
    "redis_password": lambda: secrets.token_urlsafe(32),
    "sluice_metrics_token": lambda: secrets.token_urlsafe(32),
}
#: Of others' making: empty until it is put there.
_GIVEN = ("sluice_mail_password",)
#: Addresses that hold a password, and so are secrets themselves.
_ADDRESSES = {
    "database_url": ("postgresql_password", "postgresql://sluice:{}@postgresql:5432/sluice"),
    "redis_url": ("redis_password", "redis://:{}@redis:6379/0"),
}


def make_secrets(directory: Path) -> list[str]:
    """Generate what is missing in `directory` (mode 0700, files 0600); names of what was made."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    made = [name for name, make in {**SECRETS, **_PASSWORDS}.items() if _made(directory / name, make)]
    made += [name for name in _GIVEN if _made(directory / name, str)]
    for name, (password, address) in _ADDRESSES.items():
        if _made(directory / name, lambda p=password, a=address: a.format((directory / p).read_text())):  # type: ignore[misc]
            made.append(name)
    return made


def _made(file: Path, make: Callable[[], str]) -> bool:
    if file.exists():
        return False
    write_private(file, make())
    return True


def owner_of(directory: Path) -> str:
    """`user:group` that the containers run as, and that can read the secrets: never root."""
    user, group = os.getuid(), os.getgid()
    if user == 0:
        user = group = NOBODY_IN_PARTICULAR
        for path in (directory, *directory.iterdir()):
            os.chown(path, user, group)
    return f"{user}:{group}"


def environment(directory: Path, issuer: str) -> dict[str, str]:
    """The variables of `.env`. Without an issuer: a trial on this machine, with pretend banks and printed passwords."""
    chosen = {"SLUICE_SECRETS_DIRECTORY": str(directory), "SLUICE_USER": owner_of(directory)}
    if issuer:
        return {**chosen, "SLUICE_ISSUER": issuer, "SLUICE_EMBEDDED": "0", "SLUICE_TRUSTED_PROXIES": "1"}
    return {**chosen, "SLUICE_ISSUER": TRIAL_ISSUER, "SLUICE_EMBEDDED": "1", "COMPOSE_PROFILES": "sandbox"}


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python3 -m gateway.compose",
        description="Make the secrets and the .env file that docker-compose.yml reads. Nothing is replaced.",
        epilog="For example: python3 -m gateway.compose --issuer https://sluice.bank.example",
    )
    top.add_argument(
        "--issuer",
        default="",
        metavar="URL",
        help="public https origin of a real installation; without it, a trial with pretend banks on this machine",
    )
    top.add_argument(
        "--directory",
        type=Path,
        default=ROOT / "secrets",
        metavar="DIR",
        help="where the secrets go (default: secrets)",
    )
    top.add_argument(
        "--environment", type=Path, default=ROOT / ".env", metavar="FILE", help="file to write (default: .env)"
    )
    return top


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    issuer = urlsplit(options.issuer)
    if options.issuer and (issuer.scheme != "https" or not issuer.netloc or issuer.path or issuer.query):
        parser().error("--issuer is an origin such as https://sluice.bank.example, without a path or trailing slash")
    directory = options.directory.absolute()
    try:
        made = make_secrets(directory)
        variables = environment(directory, options.issuer)
    except OSError as error:
        return refuse(unwritable(directory, error, "--directory"))
    say(f"Made in {directory}: {', '.join(made) if made else 'nothing, all secrets are there'}")
    if options.environment.exists():
        say(f"{options.environment} is there and stays as it is.")
        return 0
    try:
        write_private(options.environment, "".join(f"{name}={value}\n" for name, value in variables.items()))
    except OSError as error:
        return refuse(unwritable(options.environment.absolute().parent, error, "--environment"))
    say(f"Wrote {options.environment}. Next: docker compose up --build")
    return 0


def say(text: str) -> None:
    sys.stdout.write(text + "\n")


def refuse(text: str) -> int:
    sys.stderr.write(text + "\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Passwords of admins: how they are hashed, checked, and how guessing is slowed down."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import cache

from werkzeug.security import check_password_hash, generate_password_hash

from connectors.errors import ConfigError
from connectors.store.database import Store

MIN_PASSWORD = 12
# scrypt takes 32 MB and 60 ms for it; without a limit, a body full of password would take more.
MAX_PASSWORD = 1000
IDLE_S, LASTS_S = 30 * 60, 12 * 3600
WINDOW_S = 15 * 60
MOST_PER_NAME, MOST_PER_ADDRESS = 5, 20
_NAME = re.compile(r"[\w.@+-]{1,64}")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of a login: a session's id, or for how many seconds no more attempts are taken (0: try again)."""

    session_id: str = ""
    wait_s: int = 0


def set_password(store: Store, name: str, password: str) -> None:
    """Makes an account or changes its password, which ends its sessions.

    Raises:
        ConfigError: The name or the password will not do.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            "a name has letters, digits and . @ + - _ only, and at most 64 of them", hint="choose another name"
        )
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise ConfigError(
            f"a password has at least {MIN_PASSWORD} characters", hint="three or four words make a good one"
        )
    # scrypt with n = 2^15, r = 8: what OWASP's password storage sheet asks for.
    store.admins.put(name, generate_password_hash(password))
    store.admins.forgive(name.casefold())


def log_in(store: Store, name: str, password: str, address: str) -> Attempt:
    """Begins a session where name and password are right.

    Failures count by name and by address. Somebody who fails on purpose can so keep an admin from logging in:
    `deskhand admin passwd` on the server ends that.

    Args:
        address: Of the browser, or of the proxy before us.
    """
    by_name, by_address = name.casefold()[:64], f"from {address}"
    if wait_s := max(_wait_s(store, by_name, MOST_PER_NAME), _wait_s(store, by_address, MOST_PER_ADDRESS)):
        return Attempt(wait_s=wait_s)
    admin = store.admins.get(name)
    # A name that is unknown takes as long as one that is not.
    right = check_password_hash(admin.password_hash if admin else _nobody(), password[:MAX_PASSWORD])
    if admin is None or not right:
        store.admins.failed(by_name, by_address)
        return Attempt()
    store.admins.forgive(by_name)
    return Attempt(store.admins.begin(name, lasts_s=LASTS_S))


def _wait_s(store: Store, subject: str, most: int) -> int:
    failures = store.admins.failures(subject, within_s=WINDOW_S)
    if len(failures) < most:
        return 0
    return max(1, round(failures[-most] + WINDOW_S - time.time()))


@cache
def _nobody() -> str:
    return generate_password_hash("nobody's password")

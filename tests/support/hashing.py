"""Passwords are kept as they always are, but for the rounds: a million of them is a third of a second each time."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class OneRound(PBKDF2PasswordHasher):
    iterations = 1

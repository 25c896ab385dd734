"""Fixtures of the tests of the command line."""

from calling import call

__all__ = ["call"]

"""Fixtures of the stores' tests; they live in a module whose name no other folder has."""

from __future__ import annotations

from ledger_stores import address, ledger, opened, postgres_folder

__all__ = ["address", "ledger", "opened", "postgres_folder"]

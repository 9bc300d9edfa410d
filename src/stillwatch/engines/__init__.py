"""Engines: where tables run.

Takes set-level queries in one SQL that every engine understands, and row-local functions over split descriptors. Gives
Arrow tables of ids and integers. Promises that each engine gives the same rows, byte for byte, or raises.
"""

from __future__ import annotations

from stillwatch.engines.protocol import Engine, Query, open_engine

__all__ = ["Engine", "Query", "open_engine"]

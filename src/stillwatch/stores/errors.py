"""Errors of the stores.

The tree::

    StillwatchError
     └── StoreError
          ├── StoreUrlError           an address that names no store, or holds a secret
          ├── StoreUnavailableError   the store cannot be opened, or its driver is missing
          ├── StoreBusyError          another writer held the store for too long
          ├── StoreFullError          there is no room
          ├── StoreWriteError         the store could not read or write; or it refused to change what it keeps
          ├── StoreDamagedError       what is kept is not what was written
          ├── MigrationError          the tables are of another version
          └── NotKeptError            an entry or checkpoint that the store does not hold
"""

from __future__ import annotations

from stillwatch.records.errors import StillwatchError


class StoreError(StillwatchError):
    """Base of all that goes wrong with stores."""


class StoreUrlError(StoreError):
    """The address names no store, or holds a secret; the message never repeats one."""


class StoreUnavailableError(StoreError):
    """The store cannot be opened."""


class StoreBusyError(StoreError):
    """Another writer held the store for longer than one waits; nothing was written, try again."""


class StoreFullError(StoreError):
    """There is no room; nothing of the batch was kept, and all that was acknowledged before is there."""


class StoreWriteError(StoreError):
    """The store failed to read or write, or refused a change of what it keeps; nothing of the batch was kept."""


class StoreDamagedError(StoreError):
    """What is kept is not what was written."""


class MigrationError(StoreError):
    """The tables are of another version than this program."""


class NotKeptError(StoreError):
    """The store does not hold what was asked for."""

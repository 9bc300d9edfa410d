"""Field paths: a dotted path that a person declares, looked up in a record whose keys may themselves hold dots."""

from __future__ import annotations

from collections.abc import Mapping

from stillwatch.intake.conversation import structure


def look_up(record: object, path: str) -> object:
    """Give the value at a path.

    Args:
        record: nested mappings; a value that is JSON text is entered like a mapping (several sources store metadata so).
        path: keys joined by dots. A key that holds dots itself (`enduser.id`) is found as well; the longest key wins.

    Returns:
        The value, or null when there is none.
    """
    record = structure(record)
    if not isinstance(record, Mapping):
        return None
    if path in record:
        found: object = record[path]
        return found
    end = path.rfind(".")
    while end > 0:
        head = path[:end]
        if head in record:
            value = look_up(record[head], path[end + 1 :])
            if value is not None:
                return value
        end = path.rfind(".", 0, end)
    return None

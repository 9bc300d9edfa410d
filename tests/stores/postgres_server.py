"""A PostgreSQL server of the tests' own: from the system's programs, in a temporary folder, on a socket, as a user without rights."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

UNPRIVILEGED = ("postgres", "nobody")


def programs() -> Path | None:
    """Find the folder with `initdb` and `pg_ctl`; Debian keeps them out of the path."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


def missing() -> str | None:
    """Say why no server can be started here; null where one can."""
    if programs() is None:
        return "PostgreSQL is not installed (Debian: apt-get install postgresql)"
    if os.getuid() == 0 and _unprivileged() is None:
        return f"PostgreSQL does not run as root, and there is no user {' or '.join(UNPRIVILEGED)}"
    return None


@contextmanager
def server() -> Iterator[Path]:
    """Run a server; give the folder of its socket."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path may have 107 bytes
    owner = _unprivileged() if os.getuid() == 0 else None
    as_owner: dict[str, Any] = {"cwd": folder, "capture_output": True, "text": True}
    if owner is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        as_owner |= {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    bin_folder, data, log = programs(), folder / "data", folder / "log"
    options = f"-k {folder} -c listen_addresses= -c max_connections=40"
    try:
        subprocess.run(
            [bin_folder / "initdb", "-D", data, "-U", "tests", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            check=True,
            **as_owner,
        )
        # The server inherits what it is started with: a pipe would never end.
        quiet = {**as_owner, "capture_output": False, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(
            [bin_folder / "pg_ctl", "-D", data, "-l", log, "-w", "-o", options, "start"], check=True, **quiet
        )
        try:
            yield folder
        finally:
            subprocess.run([bin_folder / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"], check=True, **quiet)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def address(folder: Path, schema: str | None = None) -> str:
    """Give the address of the server's database, with tables in a schema."""
    options = "" if schema is None else "&options=" + quote(f"-csearch_path={schema}")
    return f"postgresql://tests@/postgres?host={quote(str(folder), safe='')}{options}"


def _unprivileged() -> pwd.struct_passwd | None:
    for name in UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None

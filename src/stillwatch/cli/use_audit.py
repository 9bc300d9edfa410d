"""What `audit own-use` does: logs through intake, batches through the audit, findings compared with the last audit and written."""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch import __version__
from stillwatch.cli.errors import MissingExtraError, OptionError, ResultFileError
from stillwatch.cli.ledger_options import write_out
from stillwatch.governance.own_use.audit import UseAudit
from stillwatch.governance.own_use.exports import as_csv, findings_document, page, read_findings, sarif
from stillwatch.governance.own_use.findings import UseFinding, compare, counted
from stillwatch.governance.own_use.policy import NO_POLICY, read_policy
from stillwatch.governance.own_use.presidio import PresidioScanner, open_presidio
from stillwatch.governance.own_use.scan import Scanner
from stillwatch.governance.own_use.secret_rules import SHIPPED_RULES, read_rules
from stillwatch.governance.own_use.source_code import RepositoryIndex
from stillwatch.intake.plan import plan
from stillwatch.intake.read import read_split
from stillwatch.intake.settings import IntakeSettings
from stillwatch.intake.sources import expand_paths

if TYPE_CHECKING:
    from stillwatch.records.progress import Progress

KEY_BYTES = 32
HISTORY = "history.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class UseAuditSettings:
    """What to audit."""

    paths: Sequence[str]
    out: Path
    policy: Path | None
    secret_rules: Path | None
    repositories: Sequence[Path]
    canaries: Path | None
    key_file: Path
    log_format: str
    presidio: str | None = None
    """`default`, or the path of its configuration; null where it is not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UseAuditDone:
    """What an audit found."""

    findings: tuple[UseFinding, ...]
    exchanges: int
    text_bytes: int
    quarantined: int
    left_out: tuple[str, ...]


def run(settings: UseAuditSettings, progress: Progress, today: dt.date) -> UseAuditDone:
    """Audit logs.

    Raises:
        StillwatchError: for logs, rules, a policy or a key that cannot be used.
    """
    rules = read_rules(settings.secret_rules or SHIPPED_RULES)
    index = _repositories(settings.repositories)
    canaries = (
        [line for line in settings.canaries.read_bytes().splitlines() if len(line) >= 8] if settings.canaries else []
    )
    audit = UseAudit(
        scanner=Scanner(rules.rules),
        policy=NO_POLICY if settings.policy is None else read_policy(settings.policy),
        key=fingerprint_key(settings.key_file),
        repositories=index,
        canaries=canaries,
        presidio=opened_presidio(settings.presidio),
    )
    quarantined = _read_logs(settings, audit, progress)
    findings = compare(audit.findings(today), _last(settings.out / "findings.json"))
    about = {
        "version": __version__, "day": today.isoformat(), "exchanges": audit.exchanges, "text_bytes": audit.text_bytes, "quarantined": quarantined,
        "rules": len(rules.rules), "rules_left_out": list(rules.left_out), "repository_files": 0 if index is None else len(index),
    }  # fmt: skip
    _write(settings.out, findings, about)
    return UseAuditDone(
        findings=findings,
        exchanges=audit.exchanges,
        text_bytes=audit.text_bytes,
        quarantined=quarantined,
        left_out=rules.left_out,
    )


def _read_logs(settings: UseAuditSettings, audit: UseAudit, progress: Progress) -> int:
    """Read every line once; give the number of those that could not be read."""
    planned = plan(expand_paths(list(settings.paths)), settings.log_format, IntakeSettings(now_us=None))
    files = [""] * (1 + max(one.source.number for one in planned.files))
    for one in planned.files:
        files[one.source.number] = one.source.path
    quarantined = 0
    progress.begin("auditing", len(planned.splits))
    for split in planned.splits:
        for output in read_split(split, planned.settings):
            quarantined += len(output.quarantined)
            if output.batch is not None and output.batch.num_rows:
                audit.take(output.batch, files)
        progress.advance(1)
    progress.end()
    return quarantined


def opened_presidio(asked: str | None) -> PresidioScanner | None:
    """Open Presidio where it is asked for."""
    if asked is None:
        return None
    configuration = None if asked == "default" else Path(asked)
    if configuration is not None and not configuration.is_file():
        raise OptionError(f"--presidio {asked}: there is no such file; name its configuration, or `default`.")
    try:
        return open_presidio(configuration)
    except ImportError as error:
        raise MissingExtraError("--presidio needs presidio-analyzer; install stillwatch[presidio].") from error


def _repositories(folders: Sequence[Path]) -> RepositoryIndex | None:
    if not folders:
        return None
    index = RepositoryIndex()
    for folder in folders:
        if not folder.is_dir():
            raise OptionError(f"--repository {folder}: there is no such folder.")
        index.add(folder.resolve())
    return index


def fingerprint_key(path: Path) -> bytes:
    """Read the key of the fingerprints; make it where there is none, for its owner alone.

    Raises:
        OptionError: where it is too short, or others can read it.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if path.stat().st_mode & 0o077:
            raise OptionError(f"--key-file {path} can be read by others; `chmod 600` it.") from None
        key = path.read_bytes().strip()
        if len(key) < KEY_BYTES:
            raise OptionError(f"--key-file {path} holds {len(key)} bytes, expected at least {KEY_BYTES}.") from None
        return key
    with os.fdopen(descriptor, "wb") as file:
        key = secrets.token_hex(KEY_BYTES).encode()
        file.write(key + b"\n")
    return key


def _last(path: Path) -> dict[str, UseFinding] | None:
    """Read the last audit of this folder."""
    if not path.exists():
        return None
    try:
        return read_findings(path.read_bytes())
    except (ValueError, KeyError, TypeError) as error:
        raise ResultFileError(
            f"{path} is not what an audit wrote ({type(error).__name__}); move it away to begin anew."
        ) from error


def _write(out: Path, findings: tuple[UseFinding, ...], about: dict[str, Any]) -> None:
    """Write each file whole or not at all; the page last, since it shows the history."""
    left = {name: row["new"] + row["open"] for name, row in counted(findings).items()}
    history_file = out / HISTORY
    lines = history_file.read_text(encoding="utf-8").splitlines() if history_file.exists() else []
    lines.append(json.dumps({"day": about["day"], "open": left}))
    texts = {
        "findings.json": json.dumps(findings_document(findings, about), indent=2) + "\n", "findings.sarif": sarif(findings, __version__),
        "findings.csv": as_csv(findings), HISTORY: "\n".join(lines) + "\n",
        "audit.html": page(findings, about, [json.loads(line) for line in lines]),
    }  # fmt: skip
    for name, text in texts.items():
        write_out(out / name, text.encode())

"""Exit codes: what a script may rely on.

Takes an error. Gives the code with which `stillwatch` ends. Codes are stable; new ones are only added.
"""

from __future__ import annotations

import errno
from enum import IntEnum

from stillwatch.records.errors import StillwatchError


class ExitCode(IntEnum):
    """How a run ended."""

    DONE = 0
    """Done, whether or not something was flagged."""
    UNEXPECTED = 1
    """Failed in a way that nobody foresaw; `--debug` shows the traceback."""
    USAGE = 2
    """The command line or a setting cannot be used."""
    INPUT = 3
    """Input could not be read, or does not hold what was asked for."""
    OUTPUT = 4
    """Output could not be written."""
    MISSING = 5
    """An extra or Java is missing."""
    LIMIT = 6
    """The memory or disk given to the run did not suffice."""
    REFUSED = 7
    """The actor has no role that allows it."""
    FINDINGS = 10
    """Done, campaigns were flagged, and `--fail-on-findings` was given."""
    UNVERIFIED = 11
    """A ledger, proof, signature or time stamp does not hold."""
    DRILL_MISSED = 12
    """Done, the drill did not pass, and `--fail-on-miss` was given."""
    INTERRUPTED = 130
    """Interrupted from the keyboard."""


MEANINGS = {
    ExitCode.DONE: "done, whether or not something was flagged",
    ExitCode.UNEXPECTED: "unexpected failure; run again with --debug",
    ExitCode.USAGE: "the command line or a setting cannot be used",
    ExitCode.INPUT: "input could not be read, or does not hold what was asked for",
    ExitCode.OUTPUT: "output could not be written",
    ExitCode.MISSING: "an extra or Java is missing",
    ExitCode.LIMIT: "the memory or disk given to the run did not suffice",
    ExitCode.REFUSED: "the actor has no role that allows it",
    ExitCode.FINDINGS: "done, campaigns were flagged, and --fail-on-findings was given",
    ExitCode.UNVERIFIED: "a ledger, proof, signature or time stamp does not hold",
    ExitCode.DRILL_MISSED: "done, the drill did not pass, and --fail-on-miss was given",
    ExitCode.INTERRUPTED: "interrupted from the keyboard",
}

ERROR_CODES = {
    "stillwatch.cli.errors.AccountNotFoundError": ExitCode.INPUT,
    "stillwatch.cli.errors.MissingExtraError": ExitCode.MISSING,
    "stillwatch.cli.errors.OptionError": ExitCode.USAGE,
    "stillwatch.cli.errors.OutputError": ExitCode.OUTPUT,
    "stillwatch.cli.errors.ResultFileError": ExitCode.INPUT,
    "stillwatch.decisions.errors.DecisionsError": ExitCode.INPUT,
    "stillwatch.decisions.errors.DisclosureError": ExitCode.REFUSED,
    "stillwatch.decisions.errors.FourEyesError": ExitCode.REFUSED,
    "stillwatch.decisions.errors.ReplayError": ExitCode.UNVERIFIED,
    "stillwatch.engines.errors.EngineUnavailableError": ExitCode.MISSING,
    "stillwatch.engines.errors.MemoryLimitError": ExitCode.LIMIT,
    "stillwatch.evidence.cases.errors.BundleVerificationError": ExitCode.UNVERIFIED,
    "stillwatch.evidence.errors.AccessError": ExitCode.REFUSED,
    "stillwatch.evidence.errors.EvidenceError": ExitCode.INPUT,
    "stillwatch.evidence.errors.LedgerDamagedError": ExitCode.UNVERIFIED,
    "stillwatch.evidence.errors.MissingLibraryError": ExitCode.MISSING,
    "stillwatch.evidence.errors.SealError": ExitCode.UNVERIFIED,
    "stillwatch.gateway.errors.GatewayError": ExitCode.USAGE,
    "stillwatch.gateway.errors.ShadowLogError": ExitCode.INPUT,
    "stillwatch.gateway.errors.ShadowSpoolError": ExitCode.INPUT,
    "stillwatch.governance.errors.GovernanceError": ExitCode.INPUT,
    "stillwatch.intake.errors.IntakeError": ExitCode.INPUT,
    "stillwatch.intake.errors.SettingError": ExitCode.USAGE,
    "stillwatch.integrity.errors.ChallengeError": ExitCode.UNVERIFIED,
    "stillwatch.integrity.errors.EnforcementBundleError": ExitCode.UNVERIFIED,
    "stillwatch.integrity.errors.IntegrityError": ExitCode.INPUT,
    "stillwatch.integrity.errors.ProofError": ExitCode.UNVERIFIED,
    "stillwatch.integrity.errors.SignatureError": ExitCode.UNVERIFIED,
    "stillwatch.integrity.errors.TimeStampError": ExitCode.UNVERIFIED,
    "stillwatch.simulation.errors.SettingsError": ExitCode.USAGE,
    "stillwatch.simulation.errors.SimulationError": ExitCode.INPUT,
    "stillwatch.sketches.errors.SketchPartError": ExitCode.INPUT,
    "stillwatch.stores.errors.StoreBusyError": ExitCode.OUTPUT,
    "stillwatch.stores.errors.StoreDamagedError": ExitCode.UNVERIFIED,
    "stillwatch.stores.errors.StoreError": ExitCode.INPUT,
    "stillwatch.stores.errors.StoreFullError": ExitCode.LIMIT,
    "stillwatch.stores.errors.StoreUrlError": ExitCode.USAGE,
    "stillwatch.stores.errors.StoreWriteError": ExitCode.OUTPUT,
    "stillwatch.suspects.errors.JournalError": ExitCode.UNVERIFIED,
    "stillwatch.suspects.errors.PlanChangedError": ExitCode.UNVERIFIED,
    "stillwatch.suspects.errors.SuspectError": ExitCode.INPUT,
    "stillwatch.watermark.errors.SchemeError": ExitCode.USAGE,
    "stillwatch.watermark.errors.TokenizerMissingError": ExitCode.MISSING,
    "stillwatch.watermark.errors.WatermarkError": ExitCode.INPUT,
    "stillwatch.watermark.keys.errors.MasterSecretError": ExitCode.USAGE,
    "stillwatch.watermark.keys.errors.MissingHsmLibraryError": ExitCode.MISSING,
    "stillwatch.watermark.keys.errors.OpeningError": ExitCode.UNVERIFIED,
}
"""Error class to code, the nearest class in its own tree first. Names, so that no package is loaded for its errors only."""

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
NOT_WRITABLE = frozenset({errno.EROFS, errno.EISDIR, errno.ENOTDIR, errno.EEXIST})


def exit_code_of(error: BaseException) -> ExitCode:
    """Give the exit code of an error.

    Args:
        error: what ended the run.

    Returns:
        The code; `UNEXPECTED` for an error that nobody foresaw.
    """
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, StillwatchError):
        for kind in type(error).__mro__:
            code = ERROR_CODES.get(f"{kind.__module__}.{kind.__qualname__}")
            if code is not None:
                return code
        return ExitCode.UNEXPECTED
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in NO_ROOM):
        return ExitCode.LIMIT
    if isinstance(error, OSError) and error.errno in NOT_WRITABLE:
        return ExitCode.OUTPUT
    return ExitCode.INPUT if isinstance(error, (FileNotFoundError, PermissionError)) else ExitCode.UNEXPECTED


def exit_codes_text() -> str:
    """Give the codes as the help prints them: one line each."""
    return "\n".join(f"{code.value:>5}  {meaning}" for code, meaning in MEANINGS.items())

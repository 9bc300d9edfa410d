"""The verb `bundle`: the one signed, expiring file by which decisions reach the request path."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli import ledger_options
from stillwatch.cli.decision_appeal import reversed_decisions
from stillwatch.cli.decision_register import BUNDLE_ISSUED, decisions_with_approvals, successions
from stillwatch.cli.errors import OptionError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.terminal import open_terminal
from stillwatch.cli.terms_register import Register, open_register
from stillwatch.cli.verb_help import VerbHelp

if TYPE_CHECKING:
    from stillwatch.integrity.signing import VerifierKey
    from stillwatch.records.decision import Decision, EnforcementBundle
    from stillwatch.records.key_registry import IssuedKey
    from stillwatch.stores.protocol import LedgerWriter

BUNDLE_KEY_VARIABLE = "STILLWATCH_BUNDLE_KEY_FILE"
HOUR_US = 3_600 * 1_000_000
_KEY = "stillwatch bundle key --name example.com/bundles --key-file bundle.key --out bundle.pub"
HELP = VerbHelp(
    name="bundle",
    purpose="Build and check the signed, expiring file by which decisions reach the request path.",
    examples=(_KEY,),
    writes="only the files that its verbs name, and an entry of the ledger for each bundle; each verb has --help and --json.",
)
KEY_HELP = VerbHelp(
    name="key",
    purpose="Make the key that signs bundles; it is another one than the ledger's.",
    examples=(_KEY,),
    writes="the key file (mode 0600), and the public key into the file of --out.",
)
BUILD_HELP = VerbHelp(
    name="build",
    purpose="Build the next bundle from the decisions that are in effect.",
    examples=(
        "stillwatch bundle build --ledger ledger.db --actor bob --for example.com/gateway --key-file bundle.key --out gateway.bundle",
    ),
    writes="the file of --out, and an entry of the ledger with name, version and digest.",
)
VERIFY_HELP = VerbHelp(
    name="verify",
    purpose="Check a bundle as the gateway does: signature, name, version, age; and remember its version.",
    examples=(
        "stillwatch bundle verify gateway.bundle --key bundle.pub --for example.com/gateway --state gateway.state",
    ),
    writes="the newest version into the file of --state. It ends with exit code 11 where the bundle is refused.",
)
SHOW_HELP = VerbHelp(
    name="show",
    purpose="Show what a bundle does, or what it does about one account.",
    examples=("stillwatch bundle show gateway.bundle --key bundle.pub --account a-217",),
    writes="nothing.",
)
File = Annotated[Path, typer.Argument(metavar="BUNDLE", help="The file.")]
PublicKey = Annotated[
    Path, typer.Option("--key", metavar="FILE", help="The public key of bundles, from elsewhere than the bundle.")
]
Name = Annotated[
    str, typer.Option("--for", metavar="NAME", help="Whom the bundle is for, such as example.com/gateway.")
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", metavar="FILE", envvar=BUNDLE_KEY_VARIABLE, help="The bundles' signing key, mode 0600."),
]

RequestsPerMinute = Annotated[
    int,
    typer.Option(
        "--requests-per-minute", metavar="N", min=1, max=1_000_000, help="How many of a throttled account are answered."
    ),
]
MarkScheme = Annotated[
    str | None,
    typer.Option(
        "--mark-scheme", metavar="NAME@VERSION", help="Scheme of the mark keys, where campaigns have keys of several."
    ),
]


def key(
    *,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Name of the key, a URL without scheme.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="For the public key.")],
    key_file: KeyFile = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Make a key."""
    from stillwatch.integrity.signing import SignatureType, generate_key, write_key_file  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    path = _needed(key_file)
    made = generate_key(name, SignatureType.NOTE)
    write_key_file(path, made)
    ledger_options.write_out(out, f"{made.verifier.text()}\n".encode())
    terminal.say(f"Signing key: {path}, for whoever builds. Public key: {out}, for the gateways.")
    terminal.document({"verb": "bundle key", "key_file": str(path), "public_key": made.verifier.text()})
    return ExitCode.DONE


def build(
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    name: Name,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="For the bundle; what is there is replaced.")],
    key_file: KeyFile = None,
    hours: Annotated[int, typer.Option("--hours", metavar="N", min=1, max=8_760, help="How long it is fresh.")] = 24,
    requests_per_minute: RequestsPerMinute = 10,
    mark_scheme: MarkScheme = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Build a bundle."""
    from stillwatch.decisions.enforcement_bundle import bundle_of  # noqa: PLC0415
    from stillwatch.integrity.enforcement_bundle import write_bundle  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    signer = ledger_options.read_key(_needed(key_file))
    now = ledger_options.now_us()
    with open_register(ledger, actor, "APPEND") as register:
        decisions, approvals = decisions_with_approvals(register)
        reversed_ = reversed_decisions(register)
        decisions = tuple(one for one in decisions if one.id not in reversed_)
        keys = _mark_keys(ledger, actor, decisions, mark_scheme, now)
        version = 1 + max(_versions(register, name), default=0)
        bundle, accounts = bundle_of(
            decisions,
            approvals,
            name=name,
            version=version,
            issued_us=now,
            expires_us=now + hours * HOUR_US,
            requests_per_minute=requests_per_minute,
            mark_keys=keys,
            supersedes=successions(register),
        )
        content = write_bundle(bundle, accounts, signer)
        entry = _record(register, bundle, content)
    ledger_options.write_out(out, content)
    terminal.say(
        f"{out}: version {version} for {name}, {len(accounts):,} accounts, fresh for {hours} hours. Entry {entry} of the ledger."
    )
    marks, without = _marks_of(bundle, {key.handle for key in keys.values()})
    for campaign in without:
        terminal.say(
            f"Campaign {campaign} is to be marked and has no key in use, so its answers will not be: issue one with `stillwatch keys issue "
            f"--level campaign --subject {campaign}`, and build again."
        )
    said = {"for": name, "version": version, "accounts": len(accounts), "actions": _counts(bundle), "entry": entry}
    terminal.document({"verb": "bundle build", **said, "mark_keys": marks, "campaigns_without_key": without})
    return ExitCode.DONE


def verify(
    file: File,
    *,
    public_key: PublicKey,
    name: Name,
    state: Annotated[
        Path, typer.Option("--state", metavar="FILE", help="What was seen before; made where it is missing.")
    ],
    accept_stale: Annotated[
        bool, typer.Option("--accept-stale", help="Take an expired one too; then only clauses that fail closed act.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Check a bundle."""
    from stillwatch.integrity.bundle_state import BundleState  # noqa: PLC0415
    from stillwatch.integrity.enforcement_bundle import BundleTrust, open_bundle  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    trust = BundleTrust(key=_public(public_key), name=name, accept_stale=accept_stale)
    now = ledger_options.now_us()
    loaded = open_bundle(file, trust, BundleState(state), now)
    bundle = loaded.bundle
    terminal.say(
        f"{file}: version {bundle.version} for {bundle.name} holds{', stale' if loaded.is_stale(now) else ''}; {bundle.accounts:,} accounts."
    )
    terminal.document(
        {
            "verb": "bundle verify",
            "for": bundle.name,
            "version": bundle.version,
            "accounts": bundle.accounts,
            "digest": loaded.digest,
            "stale": loaded.is_stale(now),
        }
    )
    return ExitCode.DONE


def show(
    file: File,
    *,
    public_key: PublicKey,
    account: Annotated[
        str | None, typer.Option("--account", metavar="ID", help="What is done about this account.")
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Show a bundle."""
    from stillwatch.evidence.incident_report.campaigns_file import iso_time  # noqa: PLC0415
    from stillwatch.integrity.enforcement_bundle import read_bundle  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    loaded = read_bundle(_content(file), _public(public_key))
    bundle = loaded.bundle
    document: dict[str, Any] = {
        "verb": "bundle show",
        "for": bundle.name,
        "version": bundle.version,
        "issued": iso_time(bundle.issued_us),
        "expires": iso_time(bundle.expires_us),
        "accounts": bundle.accounts,
        "actions": _counts(bundle),
    }
    terminal.say(
        f"Version {bundle.version} for {bundle.name}, issued {document['issued']}, fresh until {document['expires']}: {bundle.accounts:,} accounts."
    )
    for one in bundle.entries:
        terminal.say(
            f"  {one.action.value} until {iso_time(one.until_us)} by {one.decision_id}, {', '.join(one.clauses)}; fails {one.when_stale.value}"
        )
    if account is not None:
        found = loaded.find(account, ledger_options.now_us())
        document["account"] = {
            "action": found.action.value if found else "allow",
            "decision": found.decision_id if found else None,
            "clauses": list(found.clauses) if found else [],
            "appeal": found.appeal if found else None,
        }
        terminal.say(f"{account}: {document['account']['action']}{f' by {found.decision_id}' if found else ''}")
    terminal.document(document)
    return ExitCode.DONE


def _marks_of(bundle: EnforcementBundle, handles: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """Give the handle of each decision that marks, and the campaigns that have none."""
    marking = {one.decision_id: one.key_id for one in bundle.entries if one.key_id is not None}
    found = {decision: key_id for decision, key_id in marking.items() if key_id in handles}
    return found, sorted(set(marking.values()) - set(handles))


def _mark_keys(
    ledger: str, actor: str, decisions: tuple[Decision, ...], scheme: str | None, now_us: int
) -> dict[str, IssuedKey]:
    """Look up the keys of the campaigns that are to be marked, in the registry of the same ledger."""
    from stillwatch.cli.key_register import keys_of_campaigns, open_key_register  # noqa: PLC0415
    from stillwatch.records.decision import Action  # noqa: PLC0415

    campaigns = {one.campaign_id for one in decisions if one.action is Action.MARK}
    if not campaigns:
        return {}
    with open_key_register(ledger, actor, "READ") as register:
        return keys_of_campaigns(register, campaigns, scheme, now_us)


def _record(register: Register, bundle: EnforcementBundle, content: bytes) -> int:
    """Record that a bundle was issued; nobody else may have issued its version in the meantime."""
    import hashlib  # noqa: PLC0415

    from stillwatch.integrity.canonical import canonical_bytes  # noqa: PLC0415
    from stillwatch.records.ledger import NewEntry  # noqa: PLC0415

    record = {
        "format": "stillwatch-bundle-issued/v1",
        "for": bundle.name,
        "version": bundle.version,
        "issued_us": bundle.issued_us,
        "expires_us": bundle.expires_us,
        "accounts": bundle.accounts,
        "decisions": sorted(one.decision_id for one in bundle.entries),
        "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
    }

    def check(_: LedgerWriter, indices: range) -> None:
        if _versions(register, bundle.name, before=indices[0]).count(bundle.version):
            raise OptionError(f"somebody else issued version {bundle.version} for {bundle.name} just now; build again.")

    entry = NewEntry(kind=BUNDLE_ISSUED, actor=register.actor, record=canonical_bytes(record))
    return register.ledger.append([entry], check)[0]


def _versions(register: Register, name: str, before: int | None = None) -> list[int]:
    """Give the versions that were issued for a name."""
    records = (json.loads(entry.record) for entry in register.ledger.entries(BUNDLE_ISSUED, 0, before))
    return [int(one["version"]) for one in records if one.get("for") == name]


def _counts(bundle: EnforcementBundle) -> dict[str, int]:
    """Count the decisions of each action."""
    found: dict[str, int] = {}
    for one in bundle.entries:
        found[one.action.value] = found.get(one.action.value, 0) + 1
    return found


def _content(file: Path) -> bytes:
    from stillwatch.integrity.enforcement_bundle import bundle_bytes  # noqa: PLC0415

    return bundle_bytes(file)


def _public(path: Path) -> VerifierKey:
    from stillwatch.integrity.signing import parse_verifier_key  # noqa: PLC0415

    return parse_verifier_key(ledger_options.small_file(path).decode("utf-8", "replace"))


def _needed(path: Path | None) -> Path:
    if path is None:
        raise OptionError(
            f"no signing key was named; expected --key-file FILE, or {BUNDLE_KEY_VARIABLE} in the environment."
        )
    return path


VERBS: tuple[tuple[VerbHelp, Any], ...] = (
    (KEY_HELP, key),
    (BUILD_HELP, build),
    (VERIFY_HELP, verify),
    (SHOW_HELP, show),
)
"""The verbs below `bundle`, in the order of the help."""

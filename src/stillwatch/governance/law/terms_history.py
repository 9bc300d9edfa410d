"""History of providers' terms, as Open Terms Archive keeps it: a git repository, a Markdown file for each document, a commit for each version.

Takes a clone. Gives what changed in the sentences that matter, by document, in order of time. A page that serves two versions in turn gives
one event, not one for every turn: a state that was seen within sixty days is flapping.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stillwatch.governance.errors import SourceError
from stillwatch.governance.law.changes import FLAPPING_US
from stillwatch.governance.law.sentences import relevant

MOST_BYTES = 1 << 23
GIT_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsVersion:
    """A recorded version of a document."""

    document: str
    """`SERVICE/TYPE`."""
    commit: str
    time_us: int
    """Of the recording, microseconds UTC."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsEvent:
    """A change of sentences that matter."""

    document: str
    commit: str
    time_us: int
    came: tuple[str, ...]
    """Sentences that were not there before."""
    went: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class DocumentState:
    """What is known of one document."""

    current: dict[str, str]
    """Folded sentence to sentence."""
    states: dict[str, int]
    """Digest of a set of sentences, to when it was last seen."""
    versions: int = 1
    changed: int = 0
    """Versions in which a sentence that matters changed."""
    flapping: int = 0
    """Of these, a return to a state that was seen within sixty days."""

    @property
    def serves_two_versions(self) -> bool:
        """Whether the page was seen to go back and forth."""
        return self.flapping > 0


class TermsHistory:
    """Follows documents through their versions."""

    def __init__(self, documents: dict[str, DocumentState] | None = None) -> None:
        """Begin, or go on from what was kept."""
        self.documents = {} if documents is None else documents

    def take(self, version: TermsVersion) -> TermsEvent | None:
        """Compare a version with the last one; give the event where there is one.

        A document's first version is what later ones are compared with, and no event.
        """
        now = relevant(version.text)
        digest = _digest(now)
        known = self.documents.get(version.document)
        if known is None:
            self.documents[version.document] = DocumentState(current=now, states={digest: version.time_us})
            return None
        known.versions += 1
        before, known.current = known.current, now
        last_seen = known.states.get(digest)
        known.states[digest] = version.time_us
        if now.keys() == before.keys():
            return None
        # What was left is seen until it is left, so that a page which turns slowly flaps too.
        known.states[_digest(before)] = version.time_us
        known.changed += 1
        if last_seen is not None and version.time_us - last_seen < FLAPPING_US:
            known.flapping += 1
            return None
        return TermsEvent(
            document=version.document,
            commit=version.commit,
            time_us=version.time_us,
            came=tuple(text for key, text in now.items() if key not in before),
            went=tuple(text for key, text in before.items() if key not in now),
        )


def read_versions(repository: Path, after: str | None = None) -> Iterator[TermsVersion]:
    """Read the versions of a clone in order of time.

    Args:
        repository: folder of the clone, bare or not.
        after: commit whose successors are wanted; null for all.

    Raises:
        SourceError: where it is no such repository.
    """
    wanted = ["HEAD"] if after is None else [f"{after}..HEAD"]
    log = _git(
        repository,
        "log",
        "--reverse",
        "--first-parent",
        "--format=%x01%H %ct",
        "--name-only",
        "-z",
        "--diff-filter=AM",
        "--no-renames",
        *wanted,
    )
    with subprocess.Popen(  # noqa: S603  # arguments are ours; the ids come from git
        ["git", "-C", str(repository), "cat-file", "--batch"],  # noqa: S607  # git of the path, as the user has it
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as reader:  # fmt: skip
        for part in log.split(b"\x01")[1:]:
            head, _, names = part.partition(b"\0")
            commit, _, seconds = head.decode().strip().partition(" ")
            for raw in names.split(b"\0"):
                name = raw.decode("utf-8", "replace").strip()
                if name.endswith(".md") and name.count("/") == 1:
                    text = _blob(reader, f"{commit}:{name}", repository)
                    yield TermsVersion(
                        document=name.removesuffix(".md"), commit=commit, time_us=int(seconds) * 1_000_000, text=text
                    )


def newest_commit(repository: Path) -> str:
    """Give the commit that a clone is at.

    Raises:
        SourceError: where it is no repository.
    """
    return _git(repository, "rev-parse", "HEAD").decode().strip()


def fetch_clone(address: str, folder: Path) -> None:
    """Make a bare clone of a repository, or bring the one that is there up to date.

    Raises:
        SourceError: where git cannot.
    """
    folder = folder.resolve()
    if folder.exists():
        _git(folder, "fetch", "--quiet", "origin", "+HEAD:refs/heads/watched")
        _git(folder, "symbolic-ref", "HEAD", "refs/heads/watched")
    else:
        _git(folder.parent, "clone", "--quiet", "--bare", "--single-branch", "--", address, str(folder))


def _git(folder: Path, *arguments: str) -> bytes:
    """Run git without its prompts, hooks and other protocols."""
    try:
        done = subprocess.run(  # noqa: S603  # arguments are ours
            ["git", "-C", str(folder), "-c", "protocol.ext.allow=never", *arguments],  # noqa: S607
            capture_output=True, check=False, timeout=GIT_SECONDS, env=_environment(),
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceError(
            f"{folder}: git cannot be run ({type(error).__name__}); install git, or drop files"
        ) from error
    if done.returncode:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[-300:]
        raise SourceError(f"{folder}: git {arguments[0]} ended with {done.returncode}: {said}")
    return done.stdout


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "HTTPS_PROXY", "SSL_CERT_FILE") if name in os.environ}
    return kept | {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}


def _blob(reader: subprocess.Popen[bytes], name: str, repository: Path) -> str:
    """Read one file of a commit from a running `git cat-file --batch`."""
    if reader.stdin is None or reader.stdout is None or "\n" in name:
        raise SourceError(f"{repository}: a file's name holds a line break")
    reader.stdin.write(name.encode() + b"\n")
    reader.stdin.flush()
    head = reader.stdout.readline().split()
    if len(head) != 3 or head[1] != b"blob":
        raise SourceError(f"{repository}: {name} cannot be read from the repository")
    content = reader.stdout.read(int(head[2]))
    reader.stdout.read(1)
    return content[:MOST_BYTES].decode("utf-8", "replace")


def _digest(current: dict[str, str]) -> str:
    return hashlib.sha256("\n".join(sorted(current)).encode()).hexdigest()[:16]

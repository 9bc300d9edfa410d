"""Errors of the integrity package.

The tree::

    StillwatchError
     └── IntegrityError
          ├── CanonicalFormError          a value has no canonical form
          ├── DigestError                 a table has a column whose type has no digest
          ├── TreeError                   a Merkle tree is asked for what it does not hold, or lacks stored hashes
          ├── ProofError                  a proof does not show what it should
          │    ├── InclusionProofError    an entry is not at that place of the tree
          │    └── ConsistencyProofError  the larger tree does not continue the smaller one
          ├── SignedNoteError             text that is not a signed note
          │    ├── CheckpointError        a note that is not a checkpoint
          │    └── TreeProofError         text that is not a transparency log proof
          ├── SignatureError              a signature is missing or does not verify
          ├── KeyTextError                text that is not a key
          ├── KeyFileError                a key file cannot be used, or others can read it
          ├── TextKeyError                a key of encrypted texts cannot be used, or a text cannot be decrypted
          ├── TimeStampError              a time stamp cannot be had, or does not verify
          ├── ChallengeError              challenges are not those that were committed to
          └── EnforcementBundleError      an enforcement bundle is refused
               ├── BundleFormatError      bytes that are no bundle, or cannot become one
               ├── BundleNameError        a bundle for somebody else
               ├── BundleExpiredError     a bundle that has expired, or is from the future
               ├── BundleRollbackError    a bundle older than one that was seen, or another of its version
               └── BundleStateError       what was seen before cannot be read or kept
"""

from __future__ import annotations

from stillwatch.records.errors import StillwatchError


class IntegrityError(StillwatchError):
    """Base of all that goes wrong with canonical bytes, digests, trees, signatures and time stamps."""


class CanonicalFormError(IntegrityError):
    """A value has no canonical form; the message names its place and type, never the value."""


class DigestError(IntegrityError):
    """A table cannot be digested; the message names the column and its type."""


class TreeError(IntegrityError):
    """A Merkle tree is asked for what it does not hold, or stored hashes are missing."""


class ProofError(IntegrityError):
    """A proof does not show what it should; the message says what was expected and got."""


class InclusionProofError(ProofError):
    """The entry is not shown to be at that place of the tree."""


class ConsistencyProofError(ProofError):
    """The larger tree is not shown to continue the smaller one."""


class SignedNoteError(IntegrityError):
    """Text that is not a signed note; the message says where it departs from the form."""


class CheckpointError(SignedNoteError):
    """The text of a note is not that of a checkpoint."""


class TreeProofError(SignedNoteError):
    """Text that is not a transparency log proof."""


class SignatureError(IntegrityError):
    """No trusted key signed, or a trusted key's signature does not verify."""


class KeyTextError(IntegrityError):
    """Text that is not a verifier or signer key; the message never repeats a signer key."""


class KeyFileError(IntegrityError):
    """A key file is missing, unsafe or already there."""


class TextKeyError(IntegrityError):
    """A key of encrypted texts cannot be made, read or used, or a text cannot be decrypted; the message never holds either."""


class TimeStampError(IntegrityError):
    """A time stamp was refused, is malformed, or does not verify."""


class ChallengeError(IntegrityError):
    """Slots, targets or a key are not those that were committed to; the message never holds a context or an answer."""


class EnforcementBundleError(IntegrityError):
    """An enforcement bundle is refused; nothing of it is used."""


class BundleFormatError(EnforcementBundleError):
    """Bytes that are no bundle, or actions that cannot become one."""


class BundleNameError(EnforcementBundleError):
    """A bundle for somebody else."""


class BundleExpiredError(EnforcementBundleError):
    """A bundle that has expired, or was issued in the future."""


class BundleRollbackError(EnforcementBundleError):
    """A bundle older than one that was seen, or another of the same version."""


class BundleStateError(EnforcementBundleError):
    """What was seen before cannot be read or kept."""

-- Terms: versions of contract texts with their facts, who accepted which when, and what was decided. The ledger holds their digests and records.
CREATE TABLE terms_version (
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    contract_text BLOB NOT NULL,
    facts BLOB NOT NULL,
    entry_index INTEGER NOT NULL UNIQUE REFERENCES entry (entry_index),
    PRIMARY KEY (name, version)
);
CREATE TABLE acceptance (
    account_id TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    accepted_us INTEGER NOT NULL,
    accepted_by TEXT NOT NULL,
    how TEXT NOT NULL,
    entry_index INTEGER NOT NULL UNIQUE REFERENCES entry (entry_index),
    PRIMARY KEY (account_id, name, version, accepted_us),
    FOREIGN KEY (name, version) REFERENCES terms_version (name, version)
);
CREATE TABLE decision (
    id TEXT PRIMARY KEY,
    entry_index INTEGER NOT NULL UNIQUE REFERENCES entry (entry_index)
);
CREATE TABLE approval (
    decision_id TEXT PRIMARY KEY REFERENCES decision (id),
    entry_index INTEGER NOT NULL UNIQUE REFERENCES entry (entry_index)
);
CREATE TRIGGER terms_version_stays BEFORE UPDATE ON terms_version BEGIN
    SELECT RAISE(ABORT, 'a version of terms is never changed');
END;
CREATE TRIGGER terms_version_is_kept BEFORE DELETE ON terms_version BEGIN
    SELECT RAISE(ABORT, 'a version of terms is never deleted');
END;
CREATE TRIGGER acceptance_stays BEFORE UPDATE ON acceptance BEGIN
    SELECT RAISE(ABORT, 'an acceptance is never changed');
END;
CREATE TRIGGER acceptance_is_kept BEFORE DELETE ON acceptance BEGIN
    SELECT RAISE(ABORT, 'an acceptance is never deleted');
END;
CREATE TRIGGER decision_stays BEFORE UPDATE ON decision BEGIN
    SELECT RAISE(ABORT, 'a decision is never changed');
END;
CREATE TRIGGER decision_is_kept BEFORE DELETE ON decision BEGIN
    SELECT RAISE(ABORT, 'a decision is never deleted');
END;
CREATE TRIGGER approval_stays BEFORE UPDATE ON approval BEGIN
    SELECT RAISE(ABORT, 'an approval is never changed');
END;
CREATE TRIGGER approval_is_kept BEFORE DELETE ON approval BEGIN
    SELECT RAISE(ABORT, 'an approval is never deleted');
END;

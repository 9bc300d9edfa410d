-- Terms: versions of contract texts with their facts, who accepted which when, and what was decided. The ledger holds their digests and records.
CREATE TABLE terms_version (
    name TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    contract_text BYTEA NOT NULL,
    facts BYTEA NOT NULL,
    entry_index BIGINT NOT NULL UNIQUE REFERENCES entry (entry_index),
    PRIMARY KEY (name, version)
);
CREATE TABLE acceptance (
    account_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    accepted_us BIGINT NOT NULL,
    accepted_by TEXT NOT NULL,
    how TEXT NOT NULL,
    entry_index BIGINT NOT NULL UNIQUE REFERENCES entry (entry_index),
    PRIMARY KEY (account_id, name, version, accepted_us),
    FOREIGN KEY (name, version) REFERENCES terms_version (name, version)
);
CREATE TABLE decision (
    id TEXT COLLATE "C" PRIMARY KEY,
    entry_index BIGINT NOT NULL UNIQUE REFERENCES entry (entry_index)
);
CREATE TABLE approval (
    decision_id TEXT COLLATE "C" PRIMARY KEY REFERENCES decision (id),
    entry_index BIGINT NOT NULL UNIQUE REFERENCES entry (entry_index)
);
CREATE TRIGGER terms_version_stays BEFORE UPDATE OR DELETE ON terms_version FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER terms_version_is_kept BEFORE TRUNCATE ON terms_version FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER acceptance_stays BEFORE UPDATE OR DELETE ON acceptance FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER acceptance_is_kept BEFORE TRUNCATE ON acceptance FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER decision_stays BEFORE UPDATE OR DELETE ON decision FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER decision_is_kept BEFORE TRUNCATE ON decision FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER approval_stays BEFORE UPDATE OR DELETE ON approval FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER approval_is_kept BEFORE TRUNCATE ON approval FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

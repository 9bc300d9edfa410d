-- Mark keys: what was issued for whom, when it was retired and when it was revealed. Raw keys are nowhere; the ledger holds the commitments.
CREATE TABLE mark_key (
    handle TEXT COLLATE "C" PRIMARY KEY,
    level TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    scheme TEXT NOT NULL,
    parameters TEXT NOT NULL,
    tokenizer_digest TEXT NOT NULL,
    words INTEGER NOT NULL,
    paired_handle TEXT COLLATE "C" REFERENCES mark_key (handle),
    valid_from_us BIGINT NOT NULL,
    valid_until_us BIGINT NOT NULL,
    commitment TEXT NOT NULL UNIQUE,
    entry_index BIGINT NOT NULL UNIQUE REFERENCES entry (entry_index)
);
CREATE INDEX mark_key_subject ON mark_key (level, subject);
CREATE TABLE mark_key_retirement (
    handle TEXT COLLATE "C" PRIMARY KEY REFERENCES mark_key (handle),
    entry_index BIGINT NOT NULL UNIQUE REFERENCES entry (entry_index)
);
CREATE TABLE mark_key_reveal (
    entry_index BIGINT PRIMARY KEY REFERENCES entry (entry_index),
    handle TEXT COLLATE "C" NOT NULL REFERENCES mark_key (handle)
);
CREATE TRIGGER mark_key_stays BEFORE UPDATE OR DELETE ON mark_key FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER mark_key_is_kept BEFORE TRUNCATE ON mark_key FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER mark_key_retirement_stays BEFORE UPDATE OR DELETE ON mark_key_retirement FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER mark_key_retirement_is_kept BEFORE TRUNCATE ON mark_key_retirement FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER mark_key_reveal_stays BEFORE UPDATE OR DELETE ON mark_key_reveal FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER mark_key_reveal_is_kept BEFORE TRUNCATE ON mark_key_reveal FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

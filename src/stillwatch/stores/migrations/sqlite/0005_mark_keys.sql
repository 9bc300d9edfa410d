-- Mark keys: what was issued for whom, when it was retired and when it was revealed. Raw keys are nowhere; the ledger holds the commitments.
CREATE TABLE mark_key (
    handle TEXT PRIMARY KEY,
    level TEXT NOT NULL,
    subject TEXT NOT NULL,
    scheme TEXT NOT NULL,
    parameters TEXT NOT NULL,
    tokenizer_digest TEXT NOT NULL,
    words INTEGER NOT NULL,
    paired_handle TEXT REFERENCES mark_key (handle),
    valid_from_us INTEGER NOT NULL,
    valid_until_us INTEGER NOT NULL,
    commitment TEXT NOT NULL UNIQUE,
    entry_index INTEGER NOT NULL UNIQUE REFERENCES entry (entry_index)
);
CREATE INDEX mark_key_subject ON mark_key (level, subject);
CREATE TABLE mark_key_retirement (
    handle TEXT PRIMARY KEY REFERENCES mark_key (handle),
    entry_index INTEGER NOT NULL UNIQUE REFERENCES entry (entry_index)
);
CREATE TABLE mark_key_reveal (
    entry_index INTEGER PRIMARY KEY REFERENCES entry (entry_index),
    handle TEXT NOT NULL REFERENCES mark_key (handle)
);
CREATE TRIGGER mark_key_stays BEFORE UPDATE ON mark_key BEGIN
    SELECT RAISE(ABORT, 'an issued mark key is never changed');
END;
CREATE TRIGGER mark_key_is_kept BEFORE DELETE ON mark_key BEGIN
    SELECT RAISE(ABORT, 'an issued mark key is never deleted');
END;
CREATE TRIGGER mark_key_retirement_stays BEFORE UPDATE ON mark_key_retirement BEGIN
    SELECT RAISE(ABORT, 'a retirement is never changed');
END;
CREATE TRIGGER mark_key_retirement_is_kept BEFORE DELETE ON mark_key_retirement BEGIN
    SELECT RAISE(ABORT, 'a retirement is never deleted');
END;
CREATE TRIGGER mark_key_reveal_stays BEFORE UPDATE ON mark_key_reveal BEGIN
    SELECT RAISE(ABORT, 'a reveal is never changed');
END;
CREATE TRIGGER mark_key_reveal_is_kept BEFORE DELETE ON mark_key_reveal BEGIN
    SELECT RAISE(ABORT, 'a reveal is never deleted');
END;

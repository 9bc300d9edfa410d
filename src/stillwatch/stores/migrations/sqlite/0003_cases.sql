-- Cases: which items a case has, and their fields sealed under the case's key. What commits to them is in the ledger.
CREATE TABLE case_header (
    id TEXT PRIMARY KEY,
    status TEXT NOT NULL,
    opened_us INTEGER NOT NULL,
    opened_by TEXT NOT NULL,
    erased INTEGER NOT NULL DEFAULT 0 CHECK (erased IN (0, 1))
);
CREATE TABLE case_item (
    case_id TEXT NOT NULL REFERENCES case_header (id),
    number INTEGER NOT NULL CHECK (number >= 0),
    kind TEXT NOT NULL,
    entry_index INTEGER NOT NULL UNIQUE REFERENCES entry (entry_index),
    sealed BLOB NOT NULL,
    PRIMARY KEY (case_id, number)
);
CREATE TRIGGER case_item_is_kept BEFORE DELETE ON case_item BEGIN
    SELECT RAISE(ABORT, 'an item of a case is never deleted');
END;

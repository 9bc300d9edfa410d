-- Cases: which items a case has, and their fields sealed under the case's key. What commits to them is in the ledger.
CREATE TABLE case_header (
    id TEXT PRIMARY KEY,
    status TEXT NOT NULL,
    opened_us BIGINT NOT NULL,
    opened_by TEXT NOT NULL,
    erased INTEGER NOT NULL DEFAULT 0 CHECK (erased IN (0, 1))
);
CREATE TABLE case_item (
    case_id TEXT NOT NULL REFERENCES case_header (id),
    number INTEGER NOT NULL CHECK (number >= 0),
    kind TEXT NOT NULL,
    entry_index BIGINT NOT NULL UNIQUE REFERENCES entry (entry_index),
    sealed BYTEA NOT NULL,
    PRIMARY KEY (case_id, number)
);
CREATE FUNCTION refuse_deletion_of_case_item() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    RAISE EXCEPTION 'an item of a case is never deleted' USING ERRCODE = 'restrict_violation';
END
$body$;
CREATE TRIGGER case_item_is_kept BEFORE DELETE OR TRUNCATE ON case_item
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_deletion_of_case_item();

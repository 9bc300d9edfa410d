-- The ledger: entries, the tree over them in tiles, and the statements about it. Nothing that is kept is ever changed:
-- triggers refuse it. They guard against mistakes; against a hostile owner guard the checkpoints that others hold.
CREATE TABLE identity (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    origin TEXT NOT NULL,
    verifier_key TEXT NOT NULL,
    created_us INTEGER NOT NULL
);
CREATE TABLE entry (
    entry_index INTEGER PRIMARY KEY CHECK (entry_index >= 0),
    kind TEXT NOT NULL,
    recorded_us INTEGER NOT NULL,
    actor TEXT NOT NULL,
    record_digest BLOB NOT NULL CHECK (length(record_digest) = 32),
    record BLOB NOT NULL
);
CREATE INDEX entry_by_kind ON entry (kind, entry_index);
CREATE TABLE tile (
    level INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hashes BLOB NOT NULL CHECK (length(hashes) BETWEEN 32 AND 8192 AND length(hashes) % 32 = 0),
    PRIMARY KEY (level, number)
);
CREATE TABLE checkpoint (
    size INTEGER PRIMARY KEY CHECK (size >= 0),
    origin TEXT NOT NULL,
    root BLOB NOT NULL CHECK (length(root) = 32),
    note TEXT NOT NULL
);
CREATE TABLE time_stamp (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    size INTEGER NOT NULL REFERENCES checkpoint (size),
    authority TEXT NOT NULL,
    stamped_us INTEGER NOT NULL,
    request BLOB NOT NULL,
    reply BLOB NOT NULL
);
CREATE TABLE cosignature (
    size INTEGER NOT NULL REFERENCES checkpoint (size),
    witness TEXT NOT NULL,
    cosigned_s INTEGER NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (size, witness)
);
CREATE TRIGGER identity_stays BEFORE UPDATE ON identity BEGIN
    SELECT RAISE(ABORT, 'the identity of a ledger is never changed');
END;
CREATE TRIGGER identity_is_kept BEFORE DELETE ON identity BEGIN
    SELECT RAISE(ABORT, 'the identity of a ledger is never deleted');
END;
CREATE TRIGGER entry_stays BEFORE UPDATE ON entry BEGIN
    SELECT RAISE(ABORT, 'an entry is never changed');
END;
CREATE TRIGGER entry_is_kept BEFORE DELETE ON entry BEGIN
    SELECT RAISE(ABORT, 'an entry is never deleted');
END;
CREATE TRIGGER tile_only_grows BEFORE UPDATE ON tile
WHEN NEW.level <> OLD.level OR NEW.number <> OLD.number OR substr(NEW.hashes, 1, length(OLD.hashes)) <> OLD.hashes
BEGIN
    SELECT RAISE(ABORT, 'a tile only grows');
END;
CREATE TRIGGER tile_is_kept BEFORE DELETE ON tile BEGIN
    SELECT RAISE(ABORT, 'a tile is never deleted');
END;
CREATE TRIGGER checkpoint_stays BEFORE UPDATE ON checkpoint BEGIN
    SELECT RAISE(ABORT, 'a checkpoint is never changed');
END;
CREATE TRIGGER checkpoint_is_kept BEFORE DELETE ON checkpoint BEGIN
    SELECT RAISE(ABORT, 'a checkpoint is never deleted');
END;
CREATE TRIGGER time_stamp_stays BEFORE UPDATE ON time_stamp BEGIN
    SELECT RAISE(ABORT, 'a time stamp is never changed');
END;
CREATE TRIGGER time_stamp_is_kept BEFORE DELETE ON time_stamp BEGIN
    SELECT RAISE(ABORT, 'a time stamp is never deleted');
END;
CREATE TRIGGER cosignature_stays BEFORE UPDATE ON cosignature BEGIN
    SELECT RAISE(ABORT, 'a cosignature is never changed');
END;
CREATE TRIGGER cosignature_is_kept BEFORE DELETE ON cosignature BEGIN
    SELECT RAISE(ABORT, 'a cosignature is never deleted');
END;

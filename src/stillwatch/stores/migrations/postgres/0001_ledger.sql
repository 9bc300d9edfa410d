-- The ledger: entries, the tree over them in tiles, and the statements about it. Nothing that is kept is ever changed:
-- triggers refuse it. They guard against mistakes; against a hostile owner guard the checkpoints that others hold.
CREATE TABLE identity (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    origin TEXT NOT NULL,
    verifier_key TEXT NOT NULL,
    created_us BIGINT NOT NULL
);
CREATE TABLE entry (
    entry_index BIGINT PRIMARY KEY CHECK (entry_index >= 0),
    kind TEXT COLLATE "C" NOT NULL,
    recorded_us BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    record_digest BYTEA NOT NULL CHECK (length(record_digest) = 32),
    record BYTEA NOT NULL
);
CREATE INDEX entry_by_kind ON entry (kind, entry_index);
CREATE TABLE tile (
    level INTEGER NOT NULL,
    number BIGINT NOT NULL,
    hashes BYTEA NOT NULL CHECK (length(hashes) BETWEEN 32 AND 8192 AND length(hashes) % 32 = 0),
    PRIMARY KEY (level, number)
);
ALTER TABLE tile ALTER COLUMN hashes SET STORAGE EXTERNAL; -- hashes do not compress
CREATE TABLE checkpoint (
    size BIGINT PRIMARY KEY CHECK (size >= 0),
    origin TEXT NOT NULL,
    root BYTEA NOT NULL CHECK (length(root) = 32),
    note TEXT NOT NULL
);
CREATE TABLE time_stamp (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    size BIGINT NOT NULL REFERENCES checkpoint (size),
    authority TEXT NOT NULL,
    stamped_us BIGINT NOT NULL,
    request BYTEA NOT NULL,
    reply BYTEA NOT NULL
);
CREATE TABLE cosignature (
    size BIGINT NOT NULL REFERENCES checkpoint (size),
    witness TEXT COLLATE "C" NOT NULL,
    cosigned_s BIGINT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (size, witness)
);
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what a ledger keeps in table % is never changed or deleted', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;
CREATE FUNCTION refuse_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.level <> OLD.level OR NEW.number <> OLD.number
       OR substring(NEW.hashes FROM 1 FOR length(OLD.hashes)) <> OLD.hashes THEN
        RAISE EXCEPTION 'a tile only grows' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER identity_stays BEFORE UPDATE OR DELETE ON identity FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entry_stays BEFORE UPDATE OR DELETE ON entry FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER tile_only_grows BEFORE UPDATE ON tile FOR EACH ROW EXECUTE FUNCTION refuse_rewrite();
CREATE TRIGGER tile_is_kept BEFORE DELETE ON tile FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER checkpoint_stays BEFORE UPDATE OR DELETE ON checkpoint FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER time_stamp_stays BEFORE UPDATE OR DELETE ON time_stamp FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cosignature_stays BEFORE UPDATE OR DELETE ON cosignature FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER identity_is_kept BEFORE TRUNCATE ON identity FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entry_is_kept BEFORE TRUNCATE ON entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER tiles_are_kept BEFORE TRUNCATE ON tile FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER checkpoint_is_kept BEFORE TRUNCATE ON checkpoint FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER time_stamp_is_kept BEFORE TRUNCATE ON time_stamp FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cosignature_is_kept BEFORE TRUNCATE ON cosignature FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Who may do what now. The entries of the ledger say how it came about; verification compares the two.
CREATE TABLE role (
    actor TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL,
    entry_index BIGINT NOT NULL REFERENCES entry (entry_index),
    PRIMARY KEY (actor, role)
);

-- Who may do what now. The entries of the ledger say how it came about; verification compares the two.
CREATE TABLE role (
    actor TEXT NOT NULL,
    role TEXT NOT NULL,
    entry_index INTEGER NOT NULL REFERENCES entry (entry_index),
    PRIMARY KEY (actor, role)
);

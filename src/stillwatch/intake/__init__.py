"""Intake: log lines become exchanges.

Takes paths of log files in any format of `formats/`, plain or compressed, and an optional file of account facts.
Gives batches of the `EXCHANGE` table, and a quarantine entry with file, byte span and reason for what could not be read.
Promises that nothing is dropped silently, that the result does not depend on how files are split among workers, and that
no text of a log line stands in an error, a reason or a note.
"""

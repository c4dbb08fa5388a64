-- Settings whose risk is bounded with stated confidence; schemas/README.md explains the columns.

CREATE TABLE certificate (
  id              INTEGER PRIMARY KEY,
  uid             TEXT NOT NULL UNIQUE,  -- of the document
  run             TEXT NOT NULL,
  problem_set     TEXT NOT NULL,
  model           TEXT NOT NULL,
  policy          TEXT NOT NULL,
  sampler         TEXT NOT NULL,
  signal          TEXT NOT NULL,
  signal_version  TEXT NOT NULL,         -- with that of its library
  stream          TEXT NOT NULL,
  rule            TEXT NOT NULL,
  risk            TEXT NOT NULL,
  alpha           REAL NOT NULL,
  delta           REAL NOT NULL,
  p_value         REAL NOT NULL,
  problems        INTEGER NOT NULL,      -- calibrated on
  harms           INTEGER NOT NULL,      -- of their traces
  gains           INTEGER NOT NULL,
  hypotheses      INTEGER NOT NULL,
  chains          INTEGER NOT NULL,
  cap_tokens      INTEGER,               -- NULL: not known
  capped          INTEGER NOT NULL,      -- traces cut by the cap, of those whose end is known
  finish_known    INTEGER NOT NULL,
  split_seed      INTEGER NOT NULL,
  data_sha256     TEXT NOT NULL,         -- of the traces, curves and answers that went in
  document        TEXT NOT NULL CHECK (json_valid(document))
) STRICT;

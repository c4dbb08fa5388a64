-- Answers asked for in the middle of a generation; schemas/README.md explains the columns.

CREATE TABLE probe (
  trace_id  INTEGER NOT NULL REFERENCES trace(id),
  token     INTEGER NOT NULL,          -- so many generated tokens came before it
  closing   TEXT NOT NULL,             -- the text put after them
  ids       BLOB NOT NULL,             -- LEB128: what was generated after the closing
  text      TEXT NOT NULL,             -- the answer in it
  finish    TEXT NOT NULL CHECK (finish IN ('closed', 'stop', 'length')),
  PRIMARY KEY (trace_id, token, closing)
) STRICT, WITHOUT ROWID;

CREATE VIEW v_probe AS
SELECT t.uid AS trace_uid, p.problem_set, p.external_id AS problem_id, t.repeat, b.token, b.text, b.finish,
       b.closing, r.uid AS run, r.policy, p.gold
FROM probe b JOIN trace t ON t.id = b.trace_id JOIN problem p ON p.id = t.problem_id JOIN run r ON r.id = t.run_id;

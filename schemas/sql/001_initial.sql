-- The trace store, version 1. schemas/README.md explains every table with a worked example.

CREATE TABLE tokenizer (
  id      INTEGER PRIMARY KEY,
  sha256  TEXT NOT NULL UNIQUE,      -- of the serialized vocabulary
  kind    TEXT NOT NULL,             -- bytes, bpe, wordlevel
  size    INTEGER NOT NULL,          -- number of tokens
  tokens  BLOB NOT NULL              -- serialized vocabulary, zstd
) STRICT;

CREATE TABLE run (
  id                  INTEGER PRIMARY KEY,
  uid                 TEXT NOT NULL UNIQUE,
  created             TEXT NOT NULL,   -- UTC, ISO 8601
  tool_version        TEXT NOT NULL,
  host                TEXT NOT NULL,
  device              TEXT NOT NULL,
  dtype               TEXT NOT NULL,
  model               TEXT NOT NULL,
  weights_sha256      TEXT NOT NULL,
  tokenizer_id        INTEGER NOT NULL REFERENCES tokenizer(id),
  policy              TEXT NOT NULL,
  sampler             TEXT NOT NULL,
  stop_rule           TEXT NOT NULL,   -- of the live rule that could end generations; empty: none
  seed                INTEGER NOT NULL,
  cap_tokens          INTEGER,         -- NULL: not known
  template            TEXT NOT NULL,
  problem_set         TEXT NOT NULL,
  problem_set_sha256  TEXT NOT NULL,
  configuration       TEXT NOT NULL CHECK (json_valid(configuration)),
  source              TEXT NOT NULL,   -- recorded, imported:<reader>
  status              TEXT NOT NULL CHECK (status IN ('open', 'complete', 'failed'))
) STRICT;

CREATE TABLE problem (
  id           INTEGER PRIMARY KEY,
  problem_set  TEXT NOT NULL,
  external_id  TEXT NOT NULL,
  text         TEXT NOT NULL,
  gold         TEXT NOT NULL,
  kind         TEXT NOT NULL CHECK (kind IN ('number', 'math', 'choice', 'text', 'none')),
  UNIQUE (problem_set, external_id)
) STRICT;

CREATE TABLE trace (
  id             INTEGER PRIMARY KEY,
  uid            TEXT NOT NULL UNIQUE,
  run_id         INTEGER NOT NULL REFERENCES run(id),
  problem_id     INTEGER NOT NULL REFERENCES problem(id),
  repeat         INTEGER NOT NULL,
  seed           INTEGER NOT NULL,
  prompt_ids     BLOB NOT NULL,        -- LEB128
  prompt_tokens  INTEGER NOT NULL,
  tokens         INTEGER NOT NULL,     -- generated tokens in committed blocks
  finish         TEXT NOT NULL CHECK (finish IN ('stop', 'length', 'guardian', 'partial', 'error')),
  token_source   TEXT NOT NULL CHECK (token_source IN ('recorded', 'retokenized')),
  complete       INTEGER NOT NULL CHECK (complete IN (0, 1)),
  prefill_ns     INTEGER NOT NULL,
  decode_ns      INTEGER NOT NULL,
  UNIQUE (run_id, problem_id, repeat)
) STRICT;

CREATE TABLE trace_block (
  id        INTEGER PRIMARY KEY,
  trace_id  INTEGER NOT NULL REFERENCES trace(id),
  block     INTEGER NOT NULL,          -- 0, 1, 2, …
  tokens    INTEGER NOT NULL,
  ids       BLOB NOT NULL,             -- LEB128
  logprob   BLOB,                      -- fp16, little-endian
  entropy   BLOB,                      -- fp16, little-endian
  attended  BLOB,                      -- run-length coded differences
  checksum  INTEGER NOT NULL,          -- XXH3-64 over the four blobs
  UNIQUE (trace_id, block)
) STRICT;  -- with a rowid: a row of an index tree would spill most of a block into a page of its own

CREATE TABLE curve (
  id           INTEGER PRIMARY KEY,
  trace_id     INTEGER NOT NULL REFERENCES trace(id),
  signal       TEXT NOT NULL,
  version      TEXT NOT NULL,
  stream       TEXT NOT NULL,
  grid_tokens  INTEGER NOT NULL CHECK (grid_tokens > 0),
  deltas       TEXT NOT NULL,          -- JSON array: value at 0, then the differences
  cpu_ns       INTEGER NOT NULL,
  UNIQUE (trace_id, signal, version, stream, grid_tokens)
) STRICT;

CREATE TABLE answer_event (
  trace_id   INTEGER NOT NULL REFERENCES trace(id),
  extractor  TEXT NOT NULL,            -- extraction and graders with their versions
  token      INTEGER NOT NULL,
  answer     TEXT NOT NULL,
  verdict    TEXT NOT NULL CHECK (verdict IN ('right', 'wrong', 'none', 'timeout')),
  PRIMARY KEY (trace_id, extractor, token)
) STRICT, WITHOUT ROWID;

CREATE TABLE cell (
  id             INTEGER PRIMARY KEY,
  run            TEXT NOT NULL,
  problem_set    TEXT NOT NULL,
  signal         TEXT NOT NULL,
  stream         TEXT NOT NULL,
  rule           TEXT NOT NULL,
  traces         INTEGER NOT NULL,
  capped         INTEGER NOT NULL,
  tokens         INTEGER NOT NULL,
  kept           INTEGER NOT NULL,
  stopped        INTEGER NOT NULL,
  right_full     INTEGER NOT NULL,
  right_stop     INTEGER NOT NULL,
  harm           INTEGER NOT NULL,
  gain           INTEGER NOT NULL,
  details        TEXT NOT NULL CHECK (json_valid(details)),
  computed_from  TEXT NOT NULL,        -- hash of the traces, curves and answers that went in
  UNIQUE (run, problem_set, signal, stream, rule)
) STRICT;

CREATE TABLE failure (
  id       INTEGER PRIMARY KEY,
  run_id   INTEGER REFERENCES run(id),
  subject  TEXT NOT NULL,
  stage    TEXT NOT NULL,
  message  TEXT NOT NULL,
  UNIQUE (run_id, subject, stage, message)
) STRICT;

CREATE VIEW v_trace AS
SELECT t.uid, r.uid AS run, r.model, r.policy, p.problem_set, p.external_id AS problem_id, t.repeat,
       t.prompt_tokens, t.tokens, t.finish, t.complete, t.prefill_ns, t.decode_ns,
       r.sampler, r.cap_tokens, r.stop_rule, p.gold, t.token_source
FROM trace t JOIN run r ON r.id = t.run_id JOIN problem p ON p.id = t.problem_id;

CREATE VIEW v_curve_point AS
SELECT t.uid AS trace_uid, p.external_id AS problem_id, c.signal, c.stream,
       d.key * c.grid_tokens AS token,
       SUM(d.value) OVER (PARTITION BY c.id ORDER BY d.key) AS value,
       c.version, c.grid_tokens
FROM curve c JOIN trace t ON t.id = c.trace_id JOIN problem p ON p.id = t.problem_id
     JOIN json_each(c.deltas) d;

CREATE VIEW v_cell AS
SELECT run, problem_set, signal, stream, rule, traces, capped, tokens, kept,
       1.0 - 1.0 * kept / NULLIF(tokens, 0) AS saved,
       stopped, right_full, right_stop, harm, gain, computed_from
FROM cell;

-- Output length of each run against full attention with the same model, sampler, cap and template and no
-- live stop rule, over the problems and repeats that both have.
CREATE VIEW v_length_inflation AS
SELECT r.uid AS run, f.uid AS full_run, r.model, r.policy, r.problem_set,
       COUNT(*) AS traces, SUM(t.tokens) AS tokens, SUM(ft.tokens) AS full_tokens,
       1.0 * SUM(t.tokens) / NULLIF(SUM(ft.tokens), 0) AS ratio,
       SUM(t.finish = 'length') AS capped, SUM(ft.finish = 'length') AS full_capped, r.stop_rule
FROM run r
JOIN run f ON f.policy = 'full' AND f.stop_rule = '' AND f.model = r.model AND f.weights_sha256 = r.weights_sha256
          AND f.sampler = r.sampler AND f.seed = r.seed AND f.cap_tokens IS r.cap_tokens
          AND f.template = r.template AND f.problem_set = r.problem_set AND f.dtype = r.dtype
JOIN trace t ON t.run_id = r.id AND t.complete = 1
JOIN trace ft ON ft.run_id = f.id AND ft.problem_id = t.problem_id AND ft.repeat = t.repeat AND ft.complete = 1
GROUP BY r.id, f.id;

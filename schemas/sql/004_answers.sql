-- The answers that are readable as a trace grows, with the trace they are of; schemas/README.md explains the columns.

CREATE VIEW v_answer AS
SELECT t.uid AS trace_uid, p.problem_set, p.external_id AS problem_id, t.repeat, e.token, e.answer, e.verdict,
       p.gold, r.uid AS run, r.policy, e.token = (
         SELECT MAX(o.token) FROM answer_event o
         WHERE o.trace_id = e.trace_id AND o.extractor = e.extractor) AS final,
       e.extractor
FROM answer_event e JOIN trace t ON t.id = e.trace_id JOIN problem p ON p.id = t.problem_id
     JOIN run r ON r.id = t.run_id;

-- Partitioned by all that a query may ask for, so that WHERE trace_uid = … reads the curves of that trace alone.
DROP VIEW v_curve_point;
CREATE VIEW v_curve_point AS
SELECT t.uid AS trace_uid, p.external_id AS problem_id, c.signal, c.stream,
       d.key * c.grid_tokens AS token,
       SUM(d.value) OVER (PARTITION BY t.uid, p.external_id, c.signal, c.stream, c.version, c.grid_tokens
                          ORDER BY d.key) AS value,
       c.version, c.grid_tokens
FROM curve c JOIN trace t ON t.id = c.trace_id JOIN problem p ON p.id = t.problem_id
     JOIN json_each(c.deltas) d;

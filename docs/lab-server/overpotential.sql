-- Overpotential of all running cells: the mean of |V| over the newest finished step of each that passed charge
-- at constant current, its first and last quarter left out. For symmetric cells; two-electrode voltages hold
-- both interfaces. Times come from the benches.
SELECT step.site, step.bench, step.channel, step.run, step.cycle_count, step.started,
    avg(abs(sample.voltage_volt)) AS overpotential_volt,
    count(*) AS rows
FROM (
    SELECT DISTINCT ON (steps.run_id) steps.*
    FROM steps JOIN running USING (run_id)
    WHERE steps.kind = 'constant-current' AND steps.elapsed > 0 AND NOT steps.partial
    ORDER BY steps.run_id, steps.step_count DESC
) AS step
JOIN sample ON sample.run_id = step.run_id AND sample.step_count = step.step_count
    AND sample.time BETWEEN step.started + make_interval(secs => 0.25 * step.elapsed)
        AND step.started + make_interval(secs => 0.75 * step.elapsed)
GROUP BY step.site, step.bench, step.channel, step.run, step.cycle_count, step.started
ORDER BY overpotential_volt DESC;

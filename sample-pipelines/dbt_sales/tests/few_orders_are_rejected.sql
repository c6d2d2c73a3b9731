-- Fails where a tenth of the day's rows or more did not count: then it is not the rows that are wrong.
select count(*) as total, count(problem) as rejected
from {{ ref("judged_orders") }}
having count(problem) >= 0.1 * count(*)

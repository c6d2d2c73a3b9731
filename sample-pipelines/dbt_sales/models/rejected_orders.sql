select day, region, problem, body
from {{ ref("judged_orders") }}
where problem is not null

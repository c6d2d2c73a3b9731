-- Fails where a day was added twice.
select day, region, product
from {{ ref("daily_sales") }}
group by day, region, product
having count(*) > 1

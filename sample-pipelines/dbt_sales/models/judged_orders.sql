{{ config(materialized="ephemeral") }}

with raw as (
    select
        json as body,
        json ->> 'order_id' as order_id,
        json ->> 'ordered_at' as ordered_at,
        json ->> 'updated_at' as updated_at,
        json ->> 'region' as region,
        json ->> 'sku' as sku,
        try_cast(json ->> 'quantity' as integer) as quantity,
        try_cast(json ->> 'unit_cents' as integer) as unit_cents
    from {{ source("shop", "orders") }}
),

products as (
    select json ->> 'sku' as sku, json ->> 'name' as name
    from {{ source("shop", "products") }}
)

select
    date '{{ var("day") }}' as day,
    raw.*,
    products.name as product,
    case
        when raw.order_id is null then 'no order id'
        when raw.region is null then 'no region'
        when try_cast(raw.ordered_at as date) is distinct from date '{{ var("day") }}' then 'not of this day'
        when raw.quantity is null or raw.quantity < 1 then 'bad quantity'
        when raw.unit_cents is null or raw.unit_cents < 0 then 'bad price'
        when products.sku is null then 'unknown product'
    end as problem
from raw
left join products on products.sku = raw.sku

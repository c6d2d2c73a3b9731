{#
    Delete the day that is about to be added. The strategy delete+insert would do, but for one case: it deletes only
    what it has something new for, and a day that has lost its last rejected order would keep it.
#}
{% macro forget_day() %}
    {% if is_incremental() %}
        delete from {{ this }} where day = '{{ var("day") }}'
    {% endif %}
{% endmacro %}

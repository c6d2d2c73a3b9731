# What dbt needs to know, for `. dbt_sales/environment.sh` in a step: where the project is and where results go.
# dbt changes into its project, so the places must be absolute.
mkdir -p "${SALES_HOME:-out}"
SALES_HOME=$(cd "${SALES_HOME:-out}" && pwd)
export SALES_HOME
export DBT_PROJECT_DIR="$PWD/dbt_sales" DBT_PROFILES_DIR="$PWD/dbt_sales"
export DBT_TARGET_PATH="$SALES_HOME/dbt/target" DBT_LOG_PATH="$SALES_HOME/dbt/logs"
export DBT_SEND_ANONYMOUS_USAGE_STATS=0 DBT_USE_COLORS=0

"""Count one day's web events with Spark: by hour, kind and page, each event once, and its visitors.

    spark-submit spark_events/job.py DAY EVENTS COUNTS

reads EVENTS/DAY/*.jsonl.gz and overwrites the partition COUNTS/day=DAY, and no other.
"""

import sys

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

EVENT = "event_id STRING, at TIMESTAMP, visitor STRING, kind STRING, page STRING"


def counts(events: DataFrame) -> DataFrame:
    """Events and visitors for each hour, kind and page."""
    return (
        events.dropDuplicates(["event_id"])
        .groupBy(f.hour("at").alias("hour"), "kind", "page")
        .agg(f.count("*").alias("events"), f.countDistinct("visitor").alias("visitors"))
    )


def main(day: str, events: str, result: str) -> None:
    """One job, one day."""
    spark = SparkSession.builder.appName(f"spark_events {day}").getOrCreate()
    found = counts(spark.read.schema(EVENT).json(f"{events}/{day}")).withColumn("day", f.lit(day))
    # `dynamic`: only the partitions that are in the data are overwritten, here one.
    writer = found.coalesce(1).write.mode("overwrite").option("partitionOverwriteMode", "dynamic")
    writer.partitionBy("day").parquet(result)
    spark.stop()
    print(f"{result}/day={day} is written")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: spark-submit job.py DAY EVENTS COUNTS")
    main(*sys.argv[1:])

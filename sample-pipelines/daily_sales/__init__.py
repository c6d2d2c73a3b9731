"""The steps of `daily_sales.yaml`, each a program of its own: `python3 -m daily_sales.STEP DAY REGION`."""

"""Running a study: workers, limits, the store of finished runs."""

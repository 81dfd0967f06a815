"""What a run leaves for readers: tables, figures, the report page."""

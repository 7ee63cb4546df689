"""SQLAlchemy models, one file per table or tight group: columns and constraints."""

"""The functions of SQL by subject, one module per chapter."""

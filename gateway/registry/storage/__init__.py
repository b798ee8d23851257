"""The database below the registry: engine, tables, migrations."""

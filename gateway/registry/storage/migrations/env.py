"""Alembic's entry: run the migrations in the transaction of the connection that it is given."""

from alembic import context

# SQLite's DDL is transactional too, as the transaction is begun before the first statement.
context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()

"""The database of one shard: PostgreSQL, its twin in memory, and the embedded server.

Everything SQL is in here; nobody else imports asyncpg. It refuses rules: what an alarm is and when it
changes is decided elsewhere, this package keeps what was decided.
"""

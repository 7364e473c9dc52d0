"""PostgreSQL keeps answers as text, which it reads out quickly, and by itself as jsonb too, which filters look into"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

# The answers of a submission lie in its row rather than beside it, where exports would look for each: MAIN.
_STORAGE = {"submission_versions": ("MAIN", "EXTENDED"), "repeat_rows": ("EXTENDED", "EXTENDED")}
# Both at the beginning: what was done with the first is for nothing if the second cannot be had.
_LOCK = f"LOCK TABLE {', '.join(_STORAGE)} IN ACCESS EXCLUSIVE MODE"


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    op.execute(_LOCK)
    for table, (storage, _) in _STORAGE.items():
        op.execute(
            f"ALTER TABLE {table} ALTER answers TYPE json USING answers::json, ALTER answers SET STORAGE {storage},"
            " ADD searched jsonb GENERATED ALWAYS AS (answers::jsonb) STORED"
        )


def downgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    op.execute(_LOCK)
    for table, (_, storage) in _STORAGE.items():
        op.execute(f"ALTER TABLE {table} DROP searched")
        op.execute(
            f"ALTER TABLE {table} ALTER answers TYPE jsonb USING answers::jsonb, ALTER answers SET STORAGE {storage}"
        )

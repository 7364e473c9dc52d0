"""What happens to data: SQLAlchemy, no Flask, no clock of its own, and it never commits."""

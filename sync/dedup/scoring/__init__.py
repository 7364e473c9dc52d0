"""How alike two records of people are: pure functions, without database or clock."""

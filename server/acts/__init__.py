"""What REST, pages and the command line do alike; each act goes into the audit trail and is committed."""

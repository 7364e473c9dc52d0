"""Who may come in and do what: people, devices, tokens, the throttle on wrong passwords, roles, the audit trail."""

"""What goes on without a request, and what keeps an installation well."""

"""What goes in and out: request bodies, answers, refusals, requests to servers elsewhere, and the API's description."""

"""Articles and solved tickets, found by words and by meaning."""

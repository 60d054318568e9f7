"""Which solved tickets are worth learning from: rules, duplicates, doubtful groups, the split."""

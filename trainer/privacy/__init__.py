"""Personal data: recognised, made slots, looked for in what gets out."""

"""How good every arm is, and what follows from it."""

"""Drafts: the prompt, the model that learns and writes them, the check of their claims."""

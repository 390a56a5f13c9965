"""Dialects: the programming interfaces of other frameworks, over Septet's graph."""

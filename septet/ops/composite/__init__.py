"""Composites: functions made of primitives."""

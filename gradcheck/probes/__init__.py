"""Probes: a function along a line, or at whole numbers, to an estimate of its derivative."""

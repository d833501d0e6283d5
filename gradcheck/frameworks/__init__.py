"""Frameworks: what torch, JAX, autograd or an array API namespace differentiates, brought to the checks.

Each module is thin and imports its library only when it is used.
"""

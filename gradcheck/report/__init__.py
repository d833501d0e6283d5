"""Reports: pure functions from a Certificate, or an Operation, to text."""

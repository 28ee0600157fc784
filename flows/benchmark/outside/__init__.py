"""Models of other libraries, for comparison."""

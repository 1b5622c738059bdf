"""Data as users hand them over, before they become arrays of numbers."""

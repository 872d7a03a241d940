"""The clients, one module for each HTTP library."""

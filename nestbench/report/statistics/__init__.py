"""Whether a difference is one: stateless functions from tables to tables."""

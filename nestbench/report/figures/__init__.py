"""Vector figures in one style: stateless functions from tables to figures, and the plates that caption them."""

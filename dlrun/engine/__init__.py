"""How Keras is driven."""
